"""Which layer of one graph is which layer of another.

Two builds of one graph share keys; a build with fused layers shares the names of the source's nodes; two
routes of one network share nothing but their values. What is found by name stands, and the gaps between are
filled by value, never out of order.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from similarity.dumpfile import DumpFile, LayerInfo
from similarity.likeness import Likeness
from similarity.orders import is_padded


@dataclass(frozen=True)
class Pair:
    """Two layers that hold the same thing; `found_by` is "key", "source" or "value"."""

    reference: LayerInfo
    candidate: LayerInfo
    found_by: str


@dataclass(frozen=True)
class Group:
    """Neighbouring layers that only one graph has; `stands_for` is the key there of the paired layer they
    lead to.

    Three layers that do together what one layer of the other graph does lead to that layer's pair. None:
    they are the graph's last layers.
    """

    layers: tuple[LayerInfo, ...]
    stands_for: str | None


@dataclass(frozen=True)
class Alignment:
    pairs: tuple[Pair, ...]
    only_in_reference: tuple[Group, ...]
    only_in_candidate: tuple[Group, ...]


def align(reference: DumpFile, candidate: DumpFile) -> Alignment:
    """Pair the layers of two dumps of the same sample, in the order of both graphs."""
    named = _by_key(reference.layers, candidate.layers)
    named |= _by_source(reference.layers, candidate.layers, named)
    anchors = _in_order(named)
    matches = dict(anchors)
    likeness = Likeness(reference, candidate)
    for rows, columns in _gaps(anchors, len(reference.layers), len(candidate.layers)):
        # Values that went wrong on a board do not pair by value; the key has done that already.
        matches.update((pair, "value") for pair in _best_path(likeness, rows, columns))
    return _alignment(reference.layers, candidate.layers, matches)


Place = tuple[int, int]


def _by_key(reference: Sequence[LayerInfo], candidate: Sequence[LayerInfo]) -> dict[Place, str]:
    """Layers of one key and one size: a name that two exporters happened to choose alike seldom has both."""
    places = {layer.key: position for position, layer in enumerate(candidate)}
    shared = ((row, places[layer.key]) for row, layer in enumerate(reference) if layer.key in places)
    return {(row, column): "key" for row, column in shared if _can_hold(reference[row], candidate[column])}


def _by_source(
    reference: Sequence[LayerInfo], candidate: Sequence[LayerInfo], taken: Iterable[Place]
) -> dict[Place, str]:
    """A fused layer holds the result of its last source node, which must end one layer on each side."""
    rows, columns = ({place[side] for place in taken} for side in (0, 1))
    last_rows, last_columns = _last_sources(reference, rows), _last_sources(candidate, columns)
    shared = ((row, last_columns[name]) for name, row in last_rows.items() if name in last_columns)
    return {(row, column): "source" for row, column in shared if _can_hold(reference[row], candidate[column])}


def _can_hold(reference: LayerInfo, candidate: LayerInfo) -> bool:
    return reference.size == candidate.size or is_padded(reference.shape, candidate.shape)


def _last_sources(layers: Sequence[LayerInfo], taken: set[int]) -> dict[str, int]:
    counts = Counter(layer.sources[-1] for layer in layers if layer.sources)
    return {
        layer.sources[-1]: position
        for position, layer in enumerate(layers)
        if layer.sources and counts[layer.sources[-1]] == 1 and position not in taken
    }


def _in_order(named: dict[Place, str]) -> dict[Place, str]:
    """Drop pairs that cross others: the longest chain that rises on both sides stays."""
    places = sorted(named)
    longest: list[tuple[int, int]] = []
    for index, (_, column) in enumerate(places):
        before = [
            (longest[i][0], i)
            for i in range(index)
            if places[i][1] < column and places[i][0] < places[index][0]
        ]
        length, previous = max(before, default=(0, -1))
        longest.append((length + 1, previous))
    chain: dict[Place, str] = {}
    index = max(range(len(places)), key=lambda i: longest[i][0], default=-1)
    while index >= 0:
        chain[places[index]] = named[places[index]]
        index = longest[index][1]
    return chain


def _gaps(anchors: Iterable[Place], rows: int, columns: int) -> Iterable[tuple[range, range]]:
    """The stretches between neighbouring anchors that have layers on both sides."""
    fences = [(-1, -1), *sorted(anchors), (rows, columns)]
    for (row, column), (next_row, next_column) in itertools.pairwise(fences):
        if row + 1 < next_row and column + 1 < next_column:
            yield range(row + 1, next_row), range(column + 1, next_column)


def _best_path(likeness: Likeness, rows: range, columns: range) -> list[Place]:
    """The uncrossed pairs with the largest sum of likeness (dynamic programming over both orders)."""
    best = [[0.0] * (len(columns) + 1) for _ in range(len(rows) + 1)]
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            paired = best[i][j] + likeness.of(row, column)
            best[i + 1][j + 1] = max(paired, best[i][j + 1], best[i + 1][j])
    found: list[Place] = []
    i, j = len(rows), len(columns)
    while i and j:
        if best[i][j] == best[i - 1][j]:
            i -= 1
        elif best[i][j] == best[i][j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            found.append((rows[i], columns[j]))
    return found


def _alignment(
    reference: tuple[LayerInfo, ...], candidate: tuple[LayerInfo, ...], matches: dict[Place, str]
) -> Alignment:
    places = sorted(matches)
    pairs = tuple(Pair(reference[row], candidate[column], matches[row, column]) for row, column in places)
    row_of = {row: candidate[column].key for row, column in places}
    column_of = {column: reference[row].key for row, column in places}
    return Alignment(pairs, _groups(reference, row_of), _groups(candidate, column_of))


def _groups(layers: tuple[LayerInfo, ...], partners: dict[int, str]) -> tuple[Group, ...]:
    groups: list[Group] = []
    waiting: list[LayerInfo] = []
    for position, layer in enumerate(layers):
        if position not in partners:
            waiting.append(layer)
        elif waiting:
            groups.append(Group(tuple(waiting), partners[position]))
            waiting = []
    return (*groups, Group(tuple(waiting), None)) if waiting else tuple(groups)
