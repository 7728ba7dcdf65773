"""Comparing two dumps: every aligned pair gets its scores, and layers that look wrong a second look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from similarity.alignment import Alignment, Group, Pair, align
from similarity.dumpfile import DumpFile, LayerInfo
from similarity.layout import Rearrangement, rearrangement, statistics
from similarity.metrics import core_scores, lsb_percentile, order_free
from similarity.orders import declared_order
from similarity.scores import Scores
from similarity.stored import StoredTensor

# From here on a layer looks wrong enough to be sorted and searched for another order.
COSINE_LIMIT = 0.99
RELATIVE_LIMIT = 0.1
# Sorted values that agree so well are worth a search for the order. Without one that fits they must agree better,
# in size too, while the values in order agree little, and not with the sign turned: other numbers with the same
# bell shape have much the same sorted values.
SORTED_ALIKE = 0.99
SORTED_EQUAL = 0.999
SAME_NORM = 0.02
REORDERED_BELOW = 0.9
# What only moves numbers rounds nothing: between two rungs of one kind the second look comes much earlier, because
# neighbours in a smooth tensor resemble each other and a wrong order costs little.
MOVING = frozenset(
    ("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "DepthToSpace", "SpaceToDepth", "Identity")
)
MOVED_LIMIT = 0.002
MOVED_STEPS = 2.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class LayerComparison:
    """One aligned pair. `position` counts pairs from 0 in the order of the reference, whose `name`, `op`,
    `shape` it has.

    `inputs` are keys of reference layers that feed it (empty: not known), `input_rank` the most dimensions
    any of them has (0: not known). `rearrangement` says in which other order the candidate holds the
    values. When that is a fault (`order_is_fault`) the scores are of the values as they lie; when shape or
    declared layout say that only the presentation differs they are of the values put in order. `note` is a
    sentence or empty. `candidate_is_zero`: every value of the candidate is 0 and the reference has others.
    """

    position: int
    reference_key: str
    candidate_key: str
    name: str
    op: str
    shape: tuple[int, ...]
    scores: Scores
    rearrangement: Rearrangement | None = None
    note: str = ""
    order_is_fault: bool = False
    inputs: tuple[str, ...] = ()
    input_rank: int = 0
    candidate_is_zero: bool = False

    @property
    def is_reordered(self) -> bool:
        """Same numbers, different order: proved by a rearrangement, or by the sorted values."""
        return self.order_is_fault or _is_sorted_alike(self.scores)

    def as_dict(self) -> dict[str, Any]:
        """The row for JSON: `scores` as Scores.as_dict gives them, `rearrangement` without its recipe."""
        found = self.rearrangement
        order = found and {"name": found.name, "sentence": found.sentence, "cosine": found.cosine}
        row: dict[str, Any] = {name: getattr(self, name) for name in PLAIN_FIELDS}
        shapes = {"shape": list(self.shape), "inputs": list(self.inputs)}
        return {**row, **shapes, "scores": self.scores.as_dict(), "rearrangement": order}


PLAIN_FIELDS = (
    "position",
    "reference_key",
    "candidate_key",
    "name",
    "op",
    "note",
    "order_is_fault",
    "is_reordered",
    "input_rank",
    "candidate_is_zero",
)


@dataclass(frozen=True)
class Comparison:
    """What two dumps have in common, layer by layer, and what only one of them has."""

    reference_rung: str
    candidate_rung: str
    simulated: bool
    layers: tuple[LayerComparison, ...]
    only_in_reference: tuple[Group, ...]
    only_in_candidate: tuple[Group, ...]


def compare_dumps(
    reference: DumpFile,
    candidate: DumpFile,
    on_progress: Progress | None = None,
    alignment: Alignment | None = None,
) -> Comparison:
    """Compare two dumps of the same sample; `on_progress(done, total)` is called after every layer.

    `alignment` may be handed in when it was found on better dumps: two routes are aligned on their float
    dumps, and the pairs hold for whatever their boards made of them.
    """
    found = alignment or align(reference, candidate)
    layers = []
    for position, pair in enumerate(found.pairs):
        layers.append(_compare_pair(reference, candidate, pair, position))
        reference.forget()
        candidate.forget()
        if on_progress is not None:
            on_progress(position + 1, len(found.pairs))
    return Comparison(
        reference.rung,
        candidate.rung,
        reference.simulated or candidate.simulated,
        tuple(layers),
        found.only_in_reference,
        found.only_in_candidate,
    )


def _compare_pair(reference: DumpFile, candidate: DumpFile, pair: Pair, position: int) -> LayerComparison:
    a, b = pair.reference, pair.candidate
    x, y = reference.tensor(a.key), candidate.tensor(b.key)
    shapes = {layer.key: layer.shape for layer in reference.layers}
    look = _look(a, b, x, y)
    return LayerComparison(
        position=position,
        reference_key=a.key,
        candidate_key=b.key,
        name=a.name,
        op=a.op,
        shape=a.shape,
        scores=look.scores,
        rearrangement=look.order,
        note=look.note,
        order_is_fault=look.order is not None and look.is_fault,
        inputs=tuple(key for key in a.inputs if key in shapes),
        input_rank=max((len(shapes[key]) for key in a.inputs if key in shapes), default=0),
        candidate_is_zero=look.scores.cosine == 0.0 and _is_zero(y),
    )


@dataclass(frozen=True)
class _Look:
    scores: Scores
    order: Rearrangement | None = None
    is_fault: bool = False
    note: str = ""


def _look(a: LayerInfo, b: LayerInfo, x: StoredTensor, y: StoredTensor) -> _Look:
    if (a.shape, a.layout) != (b.shape, b.layout):
        return _look_at_other_presentation(a, b, x, y)
    scores = _scores(a, b, x, y)
    if not scores.is_finite:
        return _Look(scores, note=_count_nonfinite(scores))
    if scores.order_free is None or scores.order_free < SORTED_ALIKE:
        return _Look(scores)
    found = rearrangement(x, y)
    return _Look(scores, found, True, found.sentence if found else "")


def _look_at_other_presentation(a: LayerInfo, b: LayerInfo, x: StoredTensor, y: StoredTensor) -> _Look:
    """Shape or declared layout differ: an order that fits explains it; else the declared order is taken."""
    found = rearrangement(x, y)
    ordered = found.apply(y) if found else declared_order(a.shape, a.layout, b.shape, b.layout).apply(y)
    scores = _scores(a, b, x, ordered)
    note = "" if scores.is_finite else _count_nonfinite(scores)
    return _Look(scores, found, False, note or (found.sentence if found else ""))


def _scores(a: LayerInfo, b: LayerInfo, x: StoredTensor, y: StoredTensor) -> Scores:
    """Core scores, and those that need sorting for a layer that looks wrong."""
    grid = b if b.scale is not None else a
    low, high = grid.end_value(grid.qmin), grid.end_value(grid.qmax)
    scores = core_scores(x, y, scale=grid.scale, qmin_value=low, qmax_value=high)
    if not scores.is_finite or not (_looks_wrong(scores) or _looks_moved(a, b, scores)):
        return scores
    percentile = None if grid.scale is None else lsb_percentile(x, y, grid.scale)
    return replace(scores, order_free=order_free(x, y), lsb_p999=percentile)


def _looks_wrong(scores: Scores) -> bool:
    return scores.cosine < COSINE_LIMIT or scores.relative_l2 > RELATIVE_LIMIT


def _looks_moved(a: LayerInfo, b: LayerInfo, scores: Scores) -> bool:
    """Whether a layer that only moves numbers has other ones than rounding before it explains."""
    same_kind = (a.scale is None) == (b.scale is None)
    beyond = scores.relative_l2 > MOVED_LIMIT and (scores.lsb_max is None or scores.lsb_max > MOVED_STEPS)
    return a.op in MOVING and same_kind and beyond


def _is_sorted_alike(scores: Scores) -> bool:
    if scores.order_free is None or scores.order_free < SORTED_EQUAL:
        return False
    return abs(scores.cosine) < REORDERED_BELOW and abs(scores.norm_ratio - 1.0) < SAME_NORM


def _is_zero(tensor: StoredTensor) -> bool:
    found = statistics(tensor)
    return found.low == found.high == 0.0


def _count_nonfinite(scores: Scores) -> str:
    counts = f"{scores.nonfinite_candidate} in the candidate, {scores.nonfinite_reference} in the reference"
    return f"there are values that are NaN or infinite: {counts}"
