"""In which order a file's values lie: planar (w fastest, NCHW) or interleaved (NHWC). The numbers decide.

The vendor's manual says NHWC of layer dumps, a public script reads them as planar: so neither is believed. A sample of
the values is read both ways and held against the reference, the quantized graph's dump of the same sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from similarity.dumpfile import LayerInfo, Layout
from similarity.gather import Gather, Step
from similarity.stored import Floats, StoredTensor

SAMPLE = 4096
# The order that is believed correlates at least so well, and leaves at most half of the other's distance.
LIKELY = 0.6
CLEARLY = 0.5
Sides = tuple[int, int, int, int]
Order = Literal["NCHW", "NHWC", "either", "unknown", "as reference"]


@dataclass(frozen=True)
class Found:
    """A layer's order: "either" where it makes no difference, "as reference" where the reference is not 4-D."""

    order: Order
    sides: Sides


def order_of(sides: Sides, values: Floats, layer: LayerInfo | None, reference: StoredTensor | None) -> Found:
    """The order of `values`, whose file says `sides` (n, d, h, w), by the reference's layer of the same name."""
    _, d, h, w = sides
    if layer is None or reference is None or layer.size != values.size:
        return Found("either" if d == 1 or h * w == 1 else "unknown", sides)
    if len(layer.shape) != 4:
        return Found("as reference", sides)
    if d == 1 or h * w == 1:
        return Found("either", sides)
    is_nhwc = layer.layout == "NHWC"
    planar = tuple(layer.shape[axis] for axis in (0, 3, 1, 2)) if is_nhwc else layer.shape
    if planar != sides:
        return Found("unknown", sides)
    wanted, planar_values, interleaved = _samples(values, layer, reference, sides, is_nhwc)
    return Found(_decide(_distance(wanted, planar_values), _distance(wanted, interleaved)), sides)


def _samples(
    values: Floats, layer: LayerInfo, reference: StoredTensor, sides: Sides, is_nhwc: bool
) -> tuple[Floats, Floats, Floats]:
    n, d, h, w = sides
    positions = np.unique(np.random.default_rng(0).integers(0, values.size, SAMPLE))
    to_planar = Gather((Step(layer.shape, (0, 3, 1, 2)),)) if is_nhwc else Gather()
    origin = Step((n, h, w, d), (0, 3, 1, 2)).origin(positions)
    return to_planar.sample(reference, positions), values[positions], values[origin]


def _decide(planar: float, interleaved: float) -> Order:
    best, other = min(planar, interleaved), max(planar, interleaved)
    if best > 1.0 - LIKELY or best > CLEARLY * other:
        return "unknown"
    return "NCHW" if planar < interleaved else "NHWC"


def _distance(wanted: Floats, found: Floats) -> float:
    """1 - correlation over the values that are numbers on both sides; 1 when there is nothing to correlate."""
    both = np.isfinite(wanted) & np.isfinite(found)
    x, y = wanted[both].astype(np.float64), found[both].astype(np.float64)
    if x.size == 0:
        return 1.0
    x, y = x - x.mean(), y - y.mean()
    norms = math.sqrt(float(x @ x) * float(y @ y))
    return 1.0 - float(x @ y) / norms if norms > 0.0 else 1.0


def settled(found: list[Found]) -> Layout:
    """What the layers agree on that could be told, "" when there is none or they disagree.

    A layer that went wrong on the board looks like the reference in no order: it lies as the others do.
    """
    known = {one.order for one in found if one.order in ("NCHW", "NHWC")}
    if known == {"NCHW"}:
        return "NCHW"
    return "NHWC" if known == {"NHWC"} else ""
