"""What the step from the quantized graph to the board says."""

from __future__ import annotations

import math
from collections.abc import Mapping

from similarity.compare import MOVING, Comparison, LayerComparison
from similarity.reasons import Finding, Limits, Reason, StepName
from similarity.steps import StepError, is_rounding, is_unbounded_alike, output_layers, step_errors
from similarity.wording import at_layer, cosine, decibels, quoted

MOST_DIMENSIONS = 4
AVOID_DIMENSIONS = (
    "Use the other route of this network, or rewrite the operation so that no tensor has more than four"
    " dimensions (DepthToSpace, or reshape, transpose and reshape in at most 4-D)."
)
REPORT = "Report the layer to the vendor with its input, its expected and its found output."
KERNEL_LOG = "An output that is all zero is what a hung GPU or NPU leaves: look at the board's kernel log."
CHECK_INPUT = "Check how the board is fed (mean, std, channel order, layout) before blaming any layer."
CHECK_ORDER = (
    "Use the other route of this network if it has one, and check which layout the driver expects here."
)
LOOK_CLOSER = "Look where the error grows in the layers' table, and repeat with other samples."


def judge_board(
    comparison: Comparison | None, limits: Limits, quantization: Comparison | None = None
) -> Finding:
    """The first layer that introduces more than rounding is blamed; what comes after it is only carried.

    `quantization` (framework -> quantized) says how much rounding means at each layer: where 8 bits cost more than
    board_introduced, as in a normalization of values that hardly differ, kernels that round otherwise may cost as much.
    """
    if comparison is None or not comparison.layers:
        text = "Nothing is known about the board: there are no layers to compare."
        return Finding("cannot tell", "board", text, (Reason("board:no-layers", text),))
    costs = _costs(quantization, limits)
    errors = step_errors(comparison)
    first = next((error for error in errors if _is_divergence(error, costs, limits)), None)
    if first is not None:
        return _divergence(comparison, first.layer, limits)
    return _drift(comparison, costs, limits) or _fine(comparison)


def _costs(quantization: Comparison | None, limits: Limits) -> dict[str, float]:
    """relative_l2 that quantization costs at each layer of the quantized graph, at most board_excused; infinite where
    it has broken the layer, so that there is nothing left to hold the board to."""
    if quantization is None:
        return {}
    return {
        layer.candidate_key: math.inf
        if layer.scores.cosine < limits.operator_cosine
        else min(layer.scores.relative_l2, limits.board_excused)
        for layer in quantization.layers
        if layer.scores.is_finite
    }


def _is_divergence(error: StepError, costs: Mapping[str, float], limits: Limits) -> bool:
    layer = error.layer
    if not layer.scores.is_finite:
        return math.isfinite(error.inherited) and not is_unbounded_alike(layer)
    if layer.order_is_fault and error.inherited <= limits.board_introduced:
        return True
    is_new = error.own > limits.board_factor * error.inherited
    allowed = max(limits.board_introduced, costs.get(layer.reference_key, 0.0))
    if layer.op in MOVING:
        allowed = limits.board_moved
    return error.introduced > allowed and is_new and not is_rounding(layer, limits.board_steps)


def _divergence(comparison: Comparison, layer: LayerComparison, limits: Limits) -> Finding:
    code, evidence, advice = _kind(comparison, layer, limits)
    sentences = [f"{_who(comparison)} leaves the quantized graph at {quoted(layer)} ({evidence})."]
    sentences += [text for text in (_order(layer), _dimensions(comparison, layer)) if text]
    reasons = [Reason(code, " ".join(sentences), layer.reference_key)]
    if zero := _zero_output(comparison):
        sentences.append(f"The output {quoted(zero)} is all zero.")
        reasons.append(Reason("board:all-zero", sentences[-1], zero.reference_key))
        advice = (KERNEL_LOG, *advice)
    step: StepName = "preprocessing" if code == "preprocessing:first-layer" else "board"
    return Finding("fail", step, " ".join(sentences), tuple(reasons), layer.reference_key, advice)


def _kind(comparison: Comparison, layer: LayerComparison, limits: Limits) -> tuple[str, str, tuple[str, ...]]:
    """Code, evidence and advice of the first divergence."""
    scores = layer.scores
    if not scores.is_finite:
        counts = f"{scores.nonfinite_candidate} of {scores.elements} values are NaN or infinite"
        return "board:nonfinite", counts, (REPORT,)
    plain = f"cosine {cosine(scores.cosine)}"
    many = _dimensions(comparison, layer) != ""
    if layer.is_reordered:
        sorted_alike = "" if scores.order_free is None else f", order-free {scores.order_free:.3f}"
        evidence = f"{plain}{sorted_alike}: same numbers, different order"
        return "board:reordered", evidence, (AVOID_DIMENSIONS if many else CHECK_ORDER, REPORT)
    if layer.position == 0 and scores.cosine < limits.first_layer_cosine and not many:
        return "preprocessing:first-layer", f"{plain}; it is the first layer", (CHECK_INPUT,)
    avoid = (AVOID_DIMENSIONS,) if many else ()
    if scores.cosine < limits.operator_cosine:
        return "board:operator", f"{plain}: an operator's or driver's bug, not noise", (*avoid, REPORT)
    return "board:diverges", f"{plain}, {decibels(scores.sqnr_db)}", (*avoid, REPORT)


def _order(layer: LayerComparison) -> str:
    """The rearrangement, when one was found that puts the board's values right."""
    found = layer.rearrangement
    if found is None or not layer.order_is_fault:
        return ""
    return f"Put in order they agree (cosine {cosine(found.cosine)}): {found.sentence}."


def _dimensions(comparison: Comparison, layer: LayerComparison) -> str:
    """A remark on a layer with more than four dimensions, from the shapes it takes and gives; else empty."""
    takes = {other.reference_key: _input_rank(comparison, other) for other in comparison.layers}
    rank = max(takes[layer.reference_key], len(layer.shape))
    if rank <= MOST_DIMENSIONS:
        return ""
    before = comparison.layers[: layer.position]
    if all(max(takes[other.reference_key], len(other.shape)) <= MOST_DIMENSIONS for other in before):
        return "It is the first layer with more than four dimensions."
    taken_before = max(takes[other.reference_key] for other in before)
    if takes[layer.reference_key] > MOST_DIMENSIONS >= taken_before:
        return "It is the first layer with more than four dimensions at its input."
    return f"It works on {rank} dimensions."


def _input_rank(comparison: Comparison, layer: LayerComparison) -> int:
    """Most dimensions of what feeds `layer`: of the layer before it where the dump does not say what does."""
    if layer.input_rank or layer.position == 0 or any(other.inputs for other in comparison.layers):
        return layer.input_rank
    return len(comparison.layers[layer.position - 1].shape)


def _zero_output(comparison: Comparison) -> LayerComparison | None:
    return next((layer for layer in output_layers(comparison) if layer.candidate_is_zero), None)


def _drift(comparison: Comparison, costs: Mapping[str, float], limits: Limits) -> Finding | None:
    """Outputs that are wrong though every layer only carries or amplifies a little."""
    outputs = [
        one
        for one in output_layers(comparison)
        if not is_rounding(one, limits.board_steps)
        and one.scores.relative_l2 > costs.get(one.reference_key, 0.0)
    ]
    poor = next((layer for layer in outputs if layer.scores.cosine < limits.board_output_cosine), None)
    if poor is None:
        return None
    text = f"{_who(comparison)} drifts away from the quantized graph, no layer alone: {at_layer(poor)}."
    reason = Reason("board:drift", text, poor.reference_key)
    return Finding("fail", "board", text, (reason,), poor.reference_key, (LOOK_CLOSER,))


def _fine(comparison: Comparison) -> Finding:
    known = [layer.scores.sqnr_db for layer in comparison.layers if layer.scores.is_finite]
    text = (
        f"{_who(comparison)} agrees with the quantized graph in all {len(known)} layers"
        f" (worst layer {decibels(min(known, default=math.nan))})."
    )
    return Finding("pass", "board", text)


def _who(comparison: Comparison) -> str:
    return "The simulated board" if comparison.simulated else "The board"
