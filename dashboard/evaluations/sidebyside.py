"""Any two runs beside each other: layers aligned by key, or by the values of their float networks."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.boards.fingerprints import Difference, differences
from dashboard.boards.measured import scores_of
from dashboard.boards.models import Run, RunResult
from dashboard.boards.times import Totals, totals_of
from dashboard.conversions.compiled import is_same_graph
from dashboard.jobs.models import State
from dashboard.layers.models import Comparison
from dashboard.layers.rows import LayerRow, layer_rows


@dataclass(frozen=True)
class Side:
    """One of the two runs, with its layers."""

    run: Run
    result: RunResult
    rows: Sequence[LayerRow]
    totals: Totals | None


@dataclass(frozen=True)
class Pair:
    """A layer on both sides, or on one only."""

    first: LayerRow | None
    second: LayerRow | None

    @property
    def slower_us(self) -> float | None:
        """How much longer the second takes, in microseconds, each scaled to its plain run."""
        if self.first is None or self.second is None:
            return None
        one, other = self.first.scaled_us, self.second.scaled_us
        return other - one if one is not None and other is not None else None


@dataclass(frozen=True)
class SideBySide:
    """Both runs aligned. `how` is key, value or none; `matching` is the comparison that aligns by value, if any."""

    first: Side
    second: Side
    how: str
    pairs: Sequence[Pair]
    matching: Comparison | None
    differences: Sequence[Difference]
    settings: Sequence[tuple[str, str, str]]

    @property
    def same_graph(self) -> bool:
        """Did the toolkit compile both sources to the same operators?"""
        return is_same_graph([self.first.run.artifact, self.second.run.artifact])

    @property
    def is_run_only(self) -> bool:
        """Does either side lack a float network, by whose values layers could be aligned?"""
        return any(side.run.artifact.framework_id is None for side in (self.first, self.second))

    @property
    def times_comparable(self) -> bool:
        return not any(difference.matters for difference in self.differences)


def side(run: Run) -> Side:
    """A run with its result and layers; three queries."""
    result = run.result
    first, second = scores_of(run, result)
    rows = layer_rows(first, second, result.timed_layers, plain_us=result.median_us)
    return Side(run, result, rows, totals_of(result))


def side_by_side(first: Run, second: Run) -> SideBySide:
    """Align the two runs' layers: by key when both name them alike, else by the comparison of their float dumps."""
    one, other = side(first), side(second)
    matching = None
    partners = {row.source_key: row.source_key for row in one.rows}
    how = "key" if set(partners) == {row.source_key for row in other.rows} else "none"
    if how == "none":
        matching = matching_of(first, second)
        if matching and matching.state == State.SUCCEEDED:
            how = "value"
            partners = dict(matching.scores.values_list("reference_key", "candidate_key"))
    pairs = _pairs(one.rows, other.rows, partners)
    changed = differences(one.result.fingerprint_after, other.result.fingerprint_after)
    return SideBySide(one, other, how, pairs, matching, changed, _settings(first, second))


def matching_of(first: Run, second: Run) -> Comparison | None:
    """The newest comparison of the two runs' float dumps that did not fail, else the newest; None without both."""
    if not (first.artifact.framework_id and second.artifact.framework_id):
        return None
    found = Comparison.objects.filter(
        reference=first.artifact.framework_id, candidate=second.artifact.framework_id
    ).defer("log")
    alive = found.filter(state__in=[State.QUEUED, State.RUNNING, State.SUCCEEDED])
    return alive.order_by("-pk").first() or found.order_by("-pk").first()


def _pairs(first: Sequence[LayerRow], second: Sequence[LayerRow], partners: dict[str, str]) -> list[Pair]:
    """The first side's layers with their partners; what only the second has stands behind its predecessor there."""
    left = {row.source_key: row for row in second}
    pairs = [Pair(row, left.pop(partners.get(row.source_key, ""), None)) for row in first]
    follows: dict[str, list[Pair]] = {}
    before = ""
    for row in second:
        if row.source_key in left:
            follows.setdefault(before, []).append(Pair(None, row))
        else:
            before = row.source_key
    ordered = follows.get("", [])
    for pair in pairs:
        ordered += [pair, *(follows.get(pair.second.source_key, []) if pair.second else [])]
    return ordered


def _settings(first: Run, second: Run) -> list[tuple[str, str, str]]:
    """What was asked for differently: board, recipe, toolkit, route."""
    return [
        (name, one, other) for name, one, other in zip(*_named(first, second), strict=True) if one != other
    ]


def _named(first: Run, second: Run) -> tuple[tuple[str, ...], list[str], list[str]]:
    names = ("version", "route", "recipe", "toolkit version", "graph rewrites", "board", "iterations")
    return names, _values(first), _values(second)


def _values(run: Run) -> list[str]:
    conversion = run.artifact.conversion
    return [
        str(conversion.source.version),
        conversion.source.route,
        str(conversion.recipe),
        run.artifact.toolkit_version,
        ", ".join(run.artifact.compiled.get("rules", {})) or "—",
        str(run.board or "—"),
        str(run.iterations),
    ]
