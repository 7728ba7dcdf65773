"""What the step from the float network to the quantized one says."""

from __future__ import annotations

import math

from similarity.compare import Comparison, LayerComparison
from similarity.reasons import Finding, Limits, Reason
from similarity.steps import output_layers
from similarity.wording import at_layer, decibels, quoted

WORST_SHOWN = 8
TRY_LOWER_LEVEL = (
    "Try a lower optimization level, in case a graph rewrite is to blame;"
    " report the layer if it stays broken."
)


def judge_quantization(comparison: Comparison | None, limits: Limits) -> Finding:
    """The outcome is decided by the outputs and by broken layers, not by layers that sink in between."""
    if comparison is None or not comparison.layers:
        text = "Nothing is known about quantization: there are no layers to compare."
        return Finding("cannot tell", "quantization", text, (Reason("quantization:no-layers", text),))
    return (
        _nonfinite(comparison) or _wrong_input(comparison, limits) or _broken(comparison, limits)
        or _poor_output(comparison, limits) or _fine(comparison, limits)
    )  # fmt: skip


def _nonfinite(comparison: Comparison) -> Finding | None:
    for layer in comparison.layers:
        if layer.scores.nonfinite_reference:
            text = f"The float network itself gives NaN or infinite values at {quoted(layer)}."
            reason = Reason("framework:nonfinite", text, layer.reference_key)
            advice = "Check the sample and the float model: nothing can be compared with NaN."
            return Finding("cannot tell", "quantization", text, (reason,), None, (advice,))
        if layer.scores.nonfinite_candidate:
            text = f"Quantization gives NaN or infinite values at {quoted(layer)}."
            advice = "Check the calibration samples and the scale of this layer for zero or infinite ranges."
            return _fail("quantization:nonfinite", text, layer, advice)
    return None


def _wrong_input(comparison: Comparison, limits: Limits) -> Finding | None:
    """A bad first layer fails only when the outputs suffer too: a coarse range may be made good later."""
    first = comparison.layers[0]
    if first.scores.cosine >= limits.first_layer_cosine or _worst_output(comparison) >= limits.output_cosine:
        return None
    text = (
        f"The first layer {at_layer(first)} differs already: the network is fed wrongly"
        f" (mean, std, channel order or layout)."
    )
    advice = "Check mean, std, channel order and layout of the recipe before blaming any layer."
    reason = Reason("preprocessing:first-layer", text, first.reference_key)
    return Finding("fail", "preprocessing", text, (reason,), first.reference_key, (advice,))


def _broken(comparison: Comparison, limits: Limits) -> Finding | None:
    layer = next((layer for layer in comparison.layers if layer.scores.cosine < limits.operator_cosine), None)
    if layer is None:
        return None
    text = f"Quantization breaks {at_layer(layer)}: that is an operator's bug rather than quantization noise."
    return _fail("quantization:operator", text, layer, TRY_LOWER_LEVEL)


def _poor_output(comparison: Comparison, limits: Limits) -> Finding | None:
    poor = [layer for layer in output_layers(comparison) if layer.scores.cosine < limits.output_cosine]
    if not poor:
        return None
    text = f"Quantization costs too much: the output is {at_layer(poor[0])}."
    advice = "Try the algorithm for wide ranges (percentile or entropy), or other calibration samples."
    found = _fail("quantization:output", text, poor[0], advice)
    return Finding(
        "fail",
        found.step,
        text,
        found.reasons,
        found.first_bad_layer,
        found.advice + _hybrid(comparison, limits),
    )


def _fine(comparison: Comparison, limits: Limits) -> Finding:
    worst = min(comparison.layers, key=lambda layer: layer.scores.sqnr_db)
    output = min(output_layers(comparison), key=lambda layer: layer.scores.sqnr_db)
    text = (
        f"Quantization is fine (worst layer {decibels(worst.scores.sqnr_db)}, "
        f"output {decibels(output.scores.sqnr_db)})."
    )
    return Finding("pass", "quantization", text, advice=_hybrid(comparison, limits))


def _hybrid(comparison: Comparison, limits: Limits) -> tuple[str, ...]:
    weak = [layer for layer in comparison.layers if layer.scores.cosine <= limits.hybrid_cosine]
    if not weak:
        return ()
    weak.sort(key=lambda layer: layer.scores.cosine)
    names = ", ".join(quoted(layer) for layer in weak[:WORST_SHOWN])
    more = f" and {len(weak) - WORST_SHOWN} more" if len(weak) > WORST_SHOWN else ""
    return (f"Candidates for hybrid (16 bit) quantization, worst first: {names}{more}.",)


def _fail(code: str, text: str, layer: LayerComparison, advice: str) -> Finding:
    reason = Reason(code, text, layer.reference_key)
    return Finding("fail", "quantization", text, (reason,), layer.reference_key, (advice,))


def _worst_output(comparison: Comparison) -> float:
    return min((layer.scores.cosine for layer in output_layers(comparison)), default=math.nan)
