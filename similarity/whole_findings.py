"""What a board's layers say when only the float network is known: conversion, quantization and board in one step."""

from __future__ import annotations

from collections.abc import Collection

from similarity.compare import Comparison, LayerComparison
from similarity.reasons import Limits, Reason, Verdict
from similarity.steps import is_unbounded_alike, step_errors
from similarity.wording import at_layer, quoted

WHICH_STEP = (
    "Which step is to blame a ready file does not show: evaluate the other route by a toolkit for the same platform,"
    " and compare both."
)
OTHER_NETWORK = (
    "Make sure that the ready file was built from just this network, and that mean, std and channel order are those"
    " that were built into it."
)


def judge_whole(comparison: Comparison, outputs: Collection[str], limits: Limits | None = None) -> Verdict:
    """Judge framework -> board by the network's outputs, whose keys in the float network are `outputs`.

    Without any of them among the layers nobody can tell. Which step is to blame is never said: `step` is None.
    """
    limits = limits or Limits()
    found = [layer for layer in comparison.layers if layer.reference_key in outputs]
    if not found:
        text = (
            f"None of the network's outputs was found among the board's layers, {len(comparison.layers)} of which have"
            " a partner in the float network."
        )
        return Verdict("cannot tell", text, (Reason("board:no-outputs", text),), None, None, (OTHER_NETWORK,))
    bad = next((layer for layer in found if _is_bad(layer, limits)), None)
    if bad is not None:
        return _fail(comparison, bad)
    if len({layer.reference_key for layer in found}) < len(set(outputs)):
        text = (
            f"{len(found)} of the network's {len(set(outputs))} outputs were found among the board's layers and agree;"
            " of the rest nothing can be told."
        )
        return Verdict("cannot tell", text, (Reason("board:no-outputs", text),), None, None, (OTHER_NETWORK,))
    worst = min(found, key=lambda layer: layer.scores.cosine)
    text = f"{_who(comparison)} agrees with the float network: {at_layer(worst)}."
    return Verdict("pass", text, (), None, None, ())


def _is_bad(layer: LayerComparison, limits: Limits) -> bool:
    if not layer.scores.is_finite:
        return not is_unbounded_alike(layer)
    return layer.scores.cosine < limits.output_cosine or layer.scores.relative_l2 > limits.output_relative_l2


def _fail(comparison: Comparison, bad: LayerComparison) -> Verdict:
    worst = max(step_errors(comparison), key=lambda error: error.introduced).layer
    sentences = [f"{_who(comparison)} leaves the float network: its output {at_layer(bad)}."]
    if worst.reference_key != bad.reference_key:
        sentences.append(f"Most of it comes in at {quoted(worst)}.")
    text = " ".join(sentences)
    reason = Reason("board:differs-from-float", text, worst.reference_key)
    return Verdict("fail", text, (reason,), worst.reference_key, None, (WHICH_STEP, OTHER_NETWORK))


def _who(comparison: Comparison) -> str:
    return "The simulated board" if comparison.simulated else "The board"
