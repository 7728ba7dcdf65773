"""A model's numbers over its versions: similarity and latency per route, recipe and board, from stored summaries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F

from dashboard.evaluations.models import Leg
from dashboard.registry.models import RegisteredModel

MOST_POINTS = 500


@dataclass(frozen=True)
class Point:
    """One judged leg. Cosines and decibels are of one step each; `median_us` is the run's time in microseconds."""

    version: int
    version_id: int
    evaluation_id: int
    run_id: int | None
    series: str
    route: str
    board: str
    recipe: str
    simulated: bool
    outcome: str
    quantization: dict[str, Any]
    on_board: dict[str, Any]
    median_us: float | None

    def number(self, step: str, name: str) -> float | None:
        """A number of a step's stored summary; None when the step was not measured."""
        value = (self.quantization if step == "quantization" else self.on_board).get(name)
        return float(value) if isinstance(value, int | float) else None


def trend(model: RegisteredModel) -> list[Point]:
    """The newest 500 legs of the model that have ended, oldest version first; one query."""
    rows = (
        Leg.objects.filter(evaluation__version__model=model, ended_at__isnull=False)
        .select_related("evaluation__recipe")
        .annotate(
            number=F("evaluation__version__number"),
            route=F("source__route"),
            board=F("run__board__name"),
            is_simulated=F("run__result__simulated"),
            median_us=F("run__result__median_us"),
            first_summary=F("quantization__summary"),
            second_summary=F("on_board__summary"),
        )
        .order_by("-evaluation__version__number", "-pk")[:MOST_POINTS]
    )
    return [_point(row) for row in reversed(rows)]


def series(points: Sequence[Point]) -> dict[str, list[Point]]:
    """The points by what is comparable: route, recipe and board."""
    found: dict[str, list[Point]] = {}
    for point in points:
        found.setdefault(point.series, []).append(point)
    return found


def _point(row: Any) -> Point:
    board = row.board or "no board"
    recipe = str(row.evaluation.recipe)
    simulated = bool(row.is_simulated)
    name = f"{row.route} · {board}{' (simulated)' if simulated else ''} · {recipe} {row.evaluation.recipe.sha256[:6]}"
    return Point(
        version=row.number,
        version_id=row.evaluation.version_id,
        evaluation_id=row.evaluation_id,
        run_id=row.run_id,
        series=name,
        route=row.route,
        board=board,
        recipe=recipe,
        simulated=simulated,
        outcome=row.outcome,
        quantization=row.first_summary or {},
        on_board=row.second_summary or {},
        median_us=row.median_us,
    )
