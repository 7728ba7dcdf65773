"""The vendor's figures beside ours, as pages show them: ours with as many digits as the vendor printed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dashboard.imports.models import RUNG_OF, Import, ImportedScore, Scope
from dashboard.imports.services import FLOAT_RUNGS, NUMBERS
from dashboard.layers.models import Comparison, LayerScore

# Toolkit2 adds up in float32, we add up blocks in float64: of 700,000 values its cosine was seen to be off by 1.2e-5
# (absolute), its distance by 3e-7 (relative).
LOST_OF_ANGLES = 2e-5
LOST_OF_DISTANCES = 1e-6
Ours = Mapping[str, LayerScore]  # by the layer's key in the imported dump


@dataclass(frozen=True)
class Figure:
    """One number of one layer: the vendor's text, and our value (None where we have none)."""

    metric: str
    printed: str
    value: float | None

    @property
    def ours(self) -> str:
        """Our value with the vendor's digits."""
        return "" if self.value is None else like(self.printed, self.value)

    @property
    def is_compared(self) -> bool:
        return bool(self.printed) and self.value is not None

    @property
    def agrees(self) -> bool:
        """To the last digit that the vendor printed."""
        return self.is_compared and self.printed == self.ours

    @property
    def is_near(self) -> bool:
        """It does not agree, but differs by no more than a sum of float32, as the vendor makes it, loses."""
        if not self.is_compared or self.agrees or self.value is None:
            return False
        lost = LOST_OF_ANGLES if self.metric != "euclidean" else LOST_OF_DISTANCES * abs(self.value)
        return abs(float(self.printed) - self.value) <= lost + half_a_unit(self.printed)


@dataclass(frozen=True)
class ScoreRow:
    """A layer of a vendor's table with its figures, in the order of the table's metrics."""

    score: ImportedScore
    figures: Sequence[Figure]


@dataclass(frozen=True)
class ScoreTable:
    """All of one scope. `metrics` are those that the vendor printed; `comparison` is ours, None without dumps."""

    scope: Scope
    metrics: Sequence[str]
    rows: Sequence[ScoreRow]
    comparison: Comparison | None

    @property
    def compared(self) -> int:
        """How many numbers are both the vendor's and ours."""
        return sum(figure.is_compared for row in self.rows for figure in row.figures)

    @property
    def agreeing(self) -> int:
        """Of those, how many agree to the last digit that the vendor printed."""
        return sum(figure.agrees for row in self.rows for figure in row.figures)

    @property
    def near(self) -> int:
        """Of the others, how many differ by no more than the vendor's float32 loses."""
        return sum(figure.is_near for row in self.rows for figure in row.figures)


def score_tables(imported: Import, comparisons: Iterable[Comparison]) -> list[ScoreTable]:
    """The vendor's tables beside our scores: two queries, however many layers there are."""
    own = own_comparisons(comparisons)
    scores = list(imported.scores.all())
    ours: dict[int, dict[str, LayerScore]] = {}
    for score in LayerScore.objects.filter(comparison__in=list(own.values())):
        ours.setdefault(score.comparison_id, {})[score.candidate_key] = score
    tables = []
    for scope in Scope:
        mine = [score for score in scores if score.scope == scope]
        if mine:
            comparison = own.get(scope)
            tables.append(_table(scope, mine, comparison, ours.get(comparison.pk, {}) if comparison else {}))
    return tables


def own_comparisons(comparisons: Iterable[Comparison]) -> dict[Scope, Comparison]:
    """Which comparison of an import's dumps says what the vendor's table of a scope says."""
    found: dict[Scope, Comparison] = {}
    for comparison in comparisons:
        is_own = comparison.reference.imported and comparison.reference.rung in FLOAT_RUNGS
        for scope, rung in RUNG_OF.items():
            if is_own and comparison.candidate.rung == rung:
                found[scope] = comparison
    return found


def _table(
    scope: Scope, scores: Sequence[ImportedScore], comparison: Comparison | None, ours: Ours
) -> ScoreTable:
    metrics = [name for name in NUMBERS if any(name in score.printed for score in scores)]
    rows = [ScoreRow(score, [_figure(score, name, ours) for name in metrics]) for score in scores]
    return ScoreTable(scope, metrics, rows, comparison)


def _figure(score: ImportedScore, name: str, ours: Ours) -> Figure:
    printed = str(score.printed.get(name, ""))
    partner = ours.get(score.key) if score.key else None
    return Figure(name, printed, getattr(partner, name) if partner else None)


def like(printed: str, value: float) -> str:
    """`value` with as many decimals as `printed` has; five where the vendor printed nothing."""
    if not printed:
        return f"{value:.5f}"
    whole, point, decimals = printed.partition(".")
    if "e" in decimals or "e" in whole:
        digits = decimals.partition("e")[0]
        return f"{value:.{len(digits)}e}"
    return f"{value:.{len(decimals) if point else 0}f}"


def half_a_unit(printed: str) -> float:
    """Half of the last digit's unit: what rounding to it loses."""
    decimals = printed.partition(".")[2]
    return 0.5 * 10.0 ** -len(decimals) if decimals.isdigit() else 0.0
