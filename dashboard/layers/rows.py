"""One row per layer of an evaluated network: both steps' scores and the time, on one axis."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dashboard.layers.models import LayerScore


@dataclass(frozen=True)
class LayerRow:
    """A layer of the quantized graph. Times in microseconds: `time_us` as the execution with timing on measured it,
    `scaled_us` scaled so that all layers add up to the plain run; `share` is of the sum of all layers, 0..1.

    `quantization` compares the float network with the quantized graph, `board` the quantized graph with the board.
    """

    position: int
    key: str
    source_key: str
    name: str
    op: str
    shape: Sequence[int]
    quantization: LayerScore | None
    board: LayerScore | None
    time_us: float | None
    scaled_us: float | None
    share: float | None
    target: str
    is_first_bad: bool


def layer_rows(
    quantization: Iterable[LayerScore],
    board: Iterable[LayerScore],
    timed: Iterable[Mapping[str, Any]],
    first_bad: str = "",
    plain_us: float | None = None,
) -> list[LayerRow]:
    """Join the two comparisons and the timed layers by the keys of the quantized graph, in execution order.

    `plain_us` is the total of the plain run, to which the layers' times are scaled (None: they are not).
    """
    first = {score.candidate_key: score for score in quantization}
    second = {score.reference_key: score for score in board}
    on_board = {score.candidate_key: score.reference_key for score in second.values()}
    times = {on_board.get(layer["key"], layer["key"]): layer for layer in timed}
    total = sum(float(layer["time_us"]) for layer in times.values())
    order = merged(merged(list(first), list(second)), list(times))
    rows = [_row(at, key, first.get(key), second.get(key), times.get(key)) for at, key in enumerate(order)]
    return [_marked(_shared(row, total, plain_us), first_bad) for row in rows]


def merged(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Both lists as one: what only the second has stands behind its predecessor there."""
    follows: dict[str, list[str]] = {}
    known, before = set(first), ""
    for key in second:
        if key in known:
            before = key
        else:
            follows.setdefault(before, []).append(key)
    order = [*follows.get("", [])]
    for key in first:
        order += [key, *follows.get(key, [])]
    return order


def _row(
    at: int,
    key: str,
    quantization: LayerScore | None,
    board: LayerScore | None,
    timed: Mapping[str, Any] | None,
) -> LayerRow:
    score = quantization or board
    return LayerRow(
        position=at,
        key=key,
        source_key=quantization.reference_key if quantization else key,
        name=score.name if score else str((timed or {}).get("name", key)),
        op=score.op if score else str((timed or {}).get("op", "")),
        shape=score.shape if score else [],
        quantization=quantization,
        board=board,
        time_us=float(timed["time_us"]) if timed else None,
        scaled_us=None,
        share=None,
        target=str((timed or {}).get("target", "")),
        is_first_bad=False,
    )


def _shared(row: LayerRow, total: float, plain_us: float | None) -> LayerRow:
    """The row with its share of the total, and its time scaled to the plain run."""
    if row.time_us is None or not total:
        return row
    share = row.time_us / total
    return replace(row, share=share, scaled_us=None if plain_us is None else share * plain_us)


def _marked(row: LayerRow, first_bad: str) -> LayerRow:
    scores = [score for score in (row.quantization, row.board) if score]
    names = {row.key, row.name} | {
        key for score in scores for key in (score.reference_key, score.candidate_key)
    }
    return replace(row, is_first_bad=bool(first_bad) and first_bad in names)
