"""What an evaluation's page shows of each leg, read in a fixed number of queries."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch, QuerySet

from dashboard.boards.models import RunResult
from dashboard.boards.times import Totals, totals_of
from dashboard.conversions.models import Artifact
from dashboard.evaluations.models import Evaluation, Leg
from dashboard.jobs.models import Job, State
from dashboard.layers.charts import labels_of, layers_chart
from dashboard.layers.models import LayerScore
from dashboard.layers.rows import LayerRow, layer_rows

BOTH = ("quantization", "on_board")
LEG_NEEDS = (
    "source__version__model",
    "source__inspection",
    "conversion__source__version__model",
    "conversion__recipe",
    "conversion__artifact",
    "run__board",
    "run__wanted_board",
    "run__result",
    "run__artifact__conversion__source__version__model",
    "converted__reference",
    "converted__candidate",
    "quantization__reference",
    "quantization__candidate",
    "on_board__reference",
    "on_board__candidate",
)
HEAVY = (
    "source__inspection__log",
    "conversion__log",
    "run__log",
    "converted__log",
    "quantization__log",
    "on_board__log",
    "converted__reference__layers",
    "converted__candidate__layers",
    "quantization__reference__layers",
    "quantization__candidate__layers",
    "on_board__reference__layers",
    "on_board__candidate__layers",
    "run__board__private_key",
    "run__wanted_board__private_key",
)


@dataclass(frozen=True)
class ShownReason:
    """A reason of the verdict; `position` is the layer's row, None when it names none.

    The text is empty where the verdict's sentence says it already.
    """

    text: str
    layer: str
    position: int | None


@dataclass(frozen=True)
class ShownLeg:
    """A leg with its layers joined; `simulated` when any of it was made by a simulated board."""

    leg: Leg
    rows: Sequence[LayerRow]
    reasons: Sequence[ShownReason]
    chart: dict[str, Any] | None
    result: RunResult | None
    simulated: bool

    @property
    def html_id(self) -> str:
        return f"leg-{self.leg.pk}"

    @property
    def artifact(self) -> Artifact | None:
        """What the leg's conversion made, None before it has."""
        return getattr(self.leg.conversion, "artifact", None)

    @property
    def summary(self) -> dict[str, Any]:
        return self.leg.quantization.summary if self.leg.quantization else {}

    @property
    def board_summary(self) -> dict[str, Any]:
        return self.leg.on_board.summary if self.leg.on_board else {}

    @property
    def first_bad(self) -> str:
        """The first bad layer as its row names it; the stored key when no row has it."""
        return next((row.name for row in self.rows if row.is_first_bad), self.leg.first_bad_layer)

    @property
    def slowest(self) -> LayerRow | None:
        timed = [row for row in self.rows if row.time_us is not None]
        return max(timed, key=lambda row: row.time_us or 0.0, default=None)

    @property
    def totals(self) -> Totals | None:
        """Both executions' times; None when no layer was timed."""
        return totals_of(self.result) if self.result else None


def with_legs(evaluations: QuerySet[Evaluation]) -> QuerySet[Evaluation]:
    """Evaluations with everything their page reads."""
    legs = Leg.objects.select_related(*LEG_NEEDS).defer(*HEAVY)
    return evaluations.select_related(
        "project",
        "version__model",
        "recipe",
        "board",
        "calibration__inspection",
        "samples__inspection",
        "created_by",
    ).prefetch_related(Prefetch("legs", legs))


def shown_legs(evaluation: Evaluation) -> list[ShownLeg]:
    """Every leg with its scores; one query for all scores."""
    legs = list(evaluation.legs.all())
    for leg in legs:
        leg.evaluation = evaluation
    done = [
        job.pk
        for leg in legs
        for job in (leg.quantization, leg.on_board)
        if job and job.state == State.SUCCEEDED
    ]
    scores: dict[int, list[LayerScore]] = defaultdict(list)
    for score in LayerScore.objects.filter(comparison__in=done).order_by("comparison", "position"):
        scores[score.comparison_id].append(score)
    return [_shown(leg, scores) for leg in legs]


def jobs_of(evaluation: Evaluation) -> list[Job]:
    """All jobs of all legs in the order of the work, the inspections of the samples first."""
    jobs: list[Job] = [evaluation.calibration.inspection, evaluation.samples.inspection]
    for leg in evaluation.legs.all():
        jobs += [leg.source.inspection, *leg.jobs]
    return list(dict.fromkeys(jobs))


def mark(evaluation: Evaluation) -> str:
    """Changes whenever the page would show more than progress: a comparison done, a leg ended."""
    legs = evaluation.legs.all()
    done = sum(1 for leg in legs for job in leg.jobs if job.has_ended)
    return f"{done}.{sum(1 for leg in legs if leg.has_ended)}.{int(evaluation.has_ended)}"


def _shown(leg: Leg, scores: dict[int, list[LayerScore]]) -> ShownLeg:
    result: RunResult | None = getattr(leg.run, "result", None) if leg.run else None
    simulated = bool(result and result.simulated)
    rows = layer_rows(
        scores.get(leg.quantization_id or 0, []),
        scores.get(leg.on_board_id or 0, []),
        result.timed_layers if result else [],
        leg.first_bad_layer,
        result.median_us if result else None,
    )
    places = {name: row.position for row in rows for name in _names(row)}
    reasons = [_reason(reason, leg.sentence, places) for reason in leg.reasons]
    told = [reason for reason in reasons if reason.text or reason.layer]
    labels = labels_of(leg.evaluation.recipe.value.is_run_only)
    chart = layers_chart(rows, simulated, labels) if rows else None
    return ShownLeg(leg, rows, told, chart, result, simulated)


def _names(row: LayerRow) -> set[str]:
    board_key = {row.board.candidate_key} if row.board else set()
    return {row.key, row.source_key, row.name} | board_key


def _reason(reason: dict[str, Any], sentence: str, places: dict[str, int]) -> ShownReason:
    text, layer = str(reason.get("text", "")), str(reason.get("layer") or "")
    return ShownReason("" if text in sentence else text, layer, places.get(layer))
