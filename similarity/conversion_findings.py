"""What the step from the source's float graph to the toolkit's own float graph says: did a rewrite change numbers?"""

from __future__ import annotations

import math
from dataclasses import replace

from similarity.compare import Comparison, LayerComparison
from similarity.reasons import Finding, Limits, Reason
from similarity.steps import StepError, is_unbounded_alike, step_errors
from similarity.wording import at_layer, cosine, decibels, quoted

CHECK_INPUT = "Check mean, std, channel order and layout of the recipe before blaming any layer."
OTHER_ROUTE = (
    "Convert with a lower optimization level, or use the other route of this network; the artifact's build facts"
    " name the rewrite."
)
REPORT = "Report the layer to the vendor with its input, its expected and its found output."


def judge_conversion(comparison: Comparison, limits: Limits) -> Finding:
    """Both graphs compute in float: a layer that adds more than float rounding was converted wrongly."""
    if not comparison.layers:
        text = (
            "Nothing is known about the conversion: its float graph has no layer in common with the source's."
        )
        return Finding("cannot tell", "conversion", text, (Reason("conversion:no-layers", text),))
    wrong = next((error.layer for error in step_errors(comparison) if _is_wrong(error, limits)), None)
    return _fine(comparison) if wrong is None else _fail(wrong, limits)


def _is_wrong(error: StepError, limits: Limits) -> bool:
    layer = error.layer
    if not layer.scores.is_finite:
        return math.isfinite(error.inherited) and not is_unbounded_alike(layer)
    if layer.order_is_fault:
        return error.inherited <= limits.conversion_introduced
    return (
        error.introduced > limits.conversion_introduced and error.own > limits.board_factor * error.inherited
    )


def _fail(layer: LayerComparison, limits: Limits) -> Finding:
    if layer.position == 0 and layer.scores.cosine < limits.first_layer_cosine:
        text = f"The toolkit's float graph is fed wrongly: its first layer {at_layer(layer)} differs already."
        reason = Reason("preprocessing:first-layer", text, layer.reference_key)
        return Finding("fail", "preprocessing", text, (reason,), layer.reference_key, (CHECK_INPUT,))
    code, evidence = (
        "conversion:diverges",
        f"cosine {cosine(layer.scores.cosine)}, {decibels(layer.scores.sqnr_db)}",
    )
    if layer.is_reordered:
        code, evidence = (
            "conversion:reordered",
            f"cosine {cosine(layer.scores.cosine)}: same numbers, different order",
        )
    text = f"The conversion changes the network: its float graph leaves the source at {quoted(layer)} ({evidence})."
    reason = Reason(code, text, layer.reference_key)
    found = Finding("fail", "conversion", text, (reason,), layer.reference_key, (OTHER_ROUTE, REPORT))
    order = layer.rearrangement
    if order is None or not layer.order_is_fault:
        return found
    return replace(found, sentence=f"{text} Put in order they agree: {order.sentence}.")


def _fine(comparison: Comparison) -> Finding:
    known = [layer.scores.sqnr_db for layer in comparison.layers if layer.scores.is_finite]
    text = f"The conversion is faithful (worst layer {decibels(min(known, default=math.nan))})."
    return Finding("pass", "conversion", text)
