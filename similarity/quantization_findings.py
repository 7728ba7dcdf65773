"""What the step from the float network to the quantized one says."""

from __future__ import annotations

import math
from dataclasses import replace

from similarity.compare import Comparison, LayerComparison
from similarity.reasons import Finding, Limits, Reason
from similarity.steps import is_rounding, output_layers, step_errors
from similarity.wording import at_layer, decibels, quoted

WORST_SHOWN = 8
TRY_LOWER_LEVEL = (
    "Try a lower optimization level, in case a graph rewrite is to blame;"
    " report the layer if it stays broken."
)


WIDER_SAMPLES = (
    "Calibrate with samples that cover this one: {share:.0%} of the layer's values are beyond the range."
)
WEIGHTS = (
    "Look at the layer's weights and range: one outlier takes the 8 bits from all other values."
    " Keep the layer in 16 bits (hybrid), or rescale its channels."
)
MANY_SATURATED = 0.01


def judge_quantization(comparison: Comparison | None, limits: Limits) -> Finding:
    """The outcome is decided by the outputs and by broken layers, not by layers that sink in between."""
    if comparison is None or not comparison.layers:
        text = "Nothing is known about quantization: there are no layers to compare."
        return Finding("cannot tell", "quantization", text, (Reason("quantization:no-layers", text),))
    found = _nonfinite(comparison) or _wrong_input(comparison, limits) or _broken(comparison, limits)
    return _with_gaps(found or _poor_output(comparison, limits) or _fine(comparison, limits), comparison)


def _nonfinite(comparison: Comparison) -> Finding | None:
    """NaN and Inf in an output leave nothing to tell; those of the quantized graph alone are its fault."""
    for layer in output_layers(comparison):
        if layer.scores.nonfinite_reference:
            source = next(one for one in comparison.layers if one.scores.nonfinite_reference)
            text = f"The float network itself gives NaN or infinite values at {quoted(source)}."
            reason = Reason("framework:nonfinite", text, source.reference_key)
            advice = "Check the sample and the float model: nothing can be compared with NaN."
            return Finding("cannot tell", "quantization", text, (reason,), None, (advice,))
    for layer in comparison.layers:
        if layer.scores.nonfinite_candidate and not layer.scores.nonfinite_reference:
            text = f"Quantization gives NaN or infinite values at {quoted(layer)}."
            advice = "Check the calibration samples and the scale of this layer for zero or infinite ranges."
            return _fail("quantization:nonfinite", text, layer, advice)
    return None


def _with_gaps(finding: Finding, comparison: Comparison) -> Finding:
    """`finding` with a word on layers inside whose float values are not finite, such as masks of -Inf."""
    gaps = [layer for layer in comparison.layers if layer.scores.nonfinite_reference]
    if not gaps or finding.outcome == "cannot tell":
        return finding
    text = f"Not judged, because the float network holds NaN or infinite values there: {_list(gaps)}."
    reason = Reason("framework:nonfinite", text, gaps[0].reference_key)
    return replace(finding, sentence=f"{finding.sentence} {text}", reasons=(*finding.reasons, reason))


def _wrong_input(comparison: Comparison, limits: Limits) -> Finding | None:
    """A bad first layer fails only when the outputs suffer too: a coarse range may be made good later."""
    first = comparison.layers[0]
    if first.scores.cosine >= limits.first_layer_cosine or not _poor_outputs(comparison, limits):
        return None
    text = (
        f"The first layer {at_layer(first)} differs already: the network is fed wrongly"
        f" (mean, std, channel order or layout)."
    )
    advice = ["Check mean, std, channel order and layout of the recipe before blaming any layer."]
    saturated = first.scores.saturated or 0.0
    if saturated > MANY_SATURATED:
        advice.append(WIDER_SAMPLES.format(share=saturated))
    reason = Reason("preprocessing:first-layer", text, first.reference_key)
    return Finding("fail", "preprocessing", text, (reason,), first.reference_key, tuple(advice))


def _broken(comparison: Comparison, limits: Limits) -> Finding | None:
    """A layer unlike its reference. One whose inputs are nearly as bad only carries it, and that is left to the
    outputs."""
    for error in step_errors(comparison):
        layer = error.layer
        is_unlike = layer.scores.cosine < limits.operator_cosine and not is_rounding(
            layer, limits.output_steps
        )
        if is_unlike and error.own > limits.board_factor * error.inherited:
            text = f"Quantization breaks {at_layer(layer)}: that is far beyond quantization noise."
            found = _fail("quantization:operator", text, layer, WEIGHTS)
            return replace(found, advice=(*found.advice, TRY_LOWER_LEVEL))
    return None


def _poor_outputs(comparison: Comparison, limits: Limits) -> list[LayerComparison]:
    return [
        layer
        for layer in output_layers(comparison)
        if not is_rounding(layer, limits.output_steps)
        and (
            layer.scores.cosine < limits.output_cosine or layer.scores.relative_l2 > limits.output_relative_l2
        )
    ]


def _poor_output(comparison: Comparison, limits: Limits) -> Finding | None:
    poor = _poor_outputs(comparison, limits)
    if not poor:
        return None
    text = (
        f"Quantization costs too much: the output is {at_layer(poor[0])}, {decibels(poor[0].scores.sqnr_db)}."
    )
    origin = _origin(comparison, poor[0])
    if origin is not poor[0]:
        text += f" Most of it begins at {at_layer(origin)}."
    advice = "Try the algorithm for wide ranges (percentile or entropy), or other calibration samples."
    found = _fail("quantization:output", text, poor[0], advice)
    more = _hybrid(comparison, limits)
    return replace(found, first_bad_layer=origin.reference_key, advice=found.advice + more)


def _origin(comparison: Comparison, output: LayerComparison) -> LayerComparison:
    """The layer before `output` that adds most error, when that is more than what the output adds itself."""
    errors = {error.layer.reference_key: error for error in step_errors(comparison)}
    before, pending = {output.reference_key}, [output.reference_key]
    while pending:
        new = [key for key in errors[pending.pop()].layer.inputs if key in errors and key not in before]
        before.update(new)
        pending += new
    ranked = [error for key, error in errors.items() if key in before and error.layer.scores.is_finite]
    most = max(ranked, key=lambda error: error.introduced)
    adds_enough = most.introduced >= errors[output.reference_key].own / 2
    return most.layer if adds_enough and most.introduced > errors[output.reference_key].introduced else output


def _fine(comparison: Comparison, limits: Limits) -> Finding:
    worst = min((_decibels(layer) for layer in comparison.layers if layer.scores.is_finite), default=math.nan)
    output = min((_decibels(layer) for layer in output_layers(comparison)), default=math.nan)
    text = f"Quantization is fine (worst layer {decibels(worst)}, output {decibels(output)})."
    return Finding("pass", "quantization", text, advice=_hybrid(comparison, limits))


def _decibels(layer: LayerComparison) -> float:
    return layer.scores.sqnr_db


def _hybrid(comparison: Comparison, limits: Limits) -> tuple[str, ...]:
    weak = [layer for layer in comparison.layers if layer.scores.cosine <= limits.hybrid_cosine]
    if not weak:
        return ()
    weak.sort(key=lambda layer: layer.scores.cosine)
    return (f"Candidates for hybrid (16 bit) quantization, worst first: {_list(weak)}.",)


def _list(layers: list[LayerComparison]) -> str:
    more = f" and {len(layers) - WORST_SHOWN} more" if len(layers) > WORST_SHOWN else ""
    return ", ".join(quoted(layer) for layer in layers[:WORST_SHOWN]) + more


def _fail(code: str, text: str, layer: LayerComparison, advice: str) -> Finding:
    reason = Reason(code, text, layer.reference_key)
    return Finding("fail", "quantization", text, (reason,), layer.reference_key, (advice,))
