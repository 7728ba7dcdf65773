"""Numbers and layers as a verdict spells them."""

from __future__ import annotations

import math

from similarity.compare import LayerComparison


def quoted(layer: LayerComparison) -> str:
    return f"`{layer.name or layer.reference_key}`"


def at_layer(layer: LayerComparison) -> str:
    """`name` (cosine 0.310000): six decimals, because fewer hide faults near 1."""
    return f"{quoted(layer)} (cosine {cosine(layer.scores.cosine)})"


def cosine(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.6f}"


def decibels(value: float) -> str:
    """30.1 dB; equal tensors are called exact."""
    if math.isnan(value):
        return "unknown"
    return "exact" if value == math.inf else f"{value:.1f} dB"
