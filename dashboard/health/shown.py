"""What people see of a board's health: checks of their own projects, incidents without what is none of theirs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from dashboard.boards.access import is_administered
from dashboard.boards.models import Board, Run
from dashboard.health.models import BoardWatch, GoldenModel, HealthCheck, Incident, PowerCycle, PowerSwitch
from dashboard.jobs.models import State
from dashboard.layers.charts import plain
from dashboard.projects.models import Project

CHART_CHECKS = 200
COLOURS = {
    "passed": "#009E73",
    "suspect": "#E69F00",
    "slower": "#D55E00",
    "differs": "#D55E00",
    "new stack": "#CC79A7",
}
MARKERS = {
    "passed": "circle",
    "suspect": "triangle-up",
    "slower": "x",
    "differs": "square",
    "new stack": "diamond",
}


@dataclass(frozen=True)
class BoardHealth:
    """What the piece on a board's page says."""

    goldens: Sequence[GoldenModel]
    last: HealthCheck | None
    under_way: HealthCheck | None
    due_at: datetime | None
    power: PowerCycle | None
    has_switch: bool
    is_admin: bool


@dataclass(frozen=True)
class ShownIncident:
    """An incident; run and detail only for those who may see the run."""

    incident: Incident
    run_id: int | None
    detail: str


def health_of(board: Board, user: Any) -> BoardHealth:
    """A fixed number of queries."""
    checks = checks_of(board, user)
    return BoardHealth(
        goldens=list(
            GoldenModel.objects.for_board(board).filter(project__in=Project.objects.visible_to(user))
        ),
        last=checks.exclude(outcome="").first(),
        under_way=checks.filter(state__in=[State.QUEUED, State.RUNNING]).first(),
        due_at=BoardWatch.objects.filter(board=board).values_list("due_at", flat=True).first(),
        power=PowerCycle.objects.filter(board=board, state__in=[State.QUEUED, State.RUNNING]).first(),
        has_switch=PowerSwitch.objects.filter(board=board).exists(),
        is_admin=is_administered(user, board),
    )


def checks_of(board: Board, user: Any) -> QuerySet[HealthCheck]:
    """The board's checks with golden models of the user's projects, newest first."""
    rows: QuerySet[HealthCheck] = HealthCheck.objects.visible_to(user).filter(board=board)
    return rows.select_related("golden", "run").defer("log", "run__log").order_by("-pk")


def incident_rows(board: Board, user: Any) -> QuerySet[Any]:
    """The board's incidents, the open ones first, then newest first; each says whether its run is the user's."""
    mine = Run.objects.visible_to(user).filter(pk=OuterRef("run"))
    rows = Incident.objects.filter(board=board).annotate(is_mine=Q(run__isnull=True) | Exists(mine))
    return rows.order_by(F("ended_at").desc(nulls_first=True), "-pk")


def incidents_of(board: Board, user: Any) -> list[ShownIncident]:
    """The last hundred; one query."""
    return [as_shown(row) for row in incident_rows(board, user)[:100]]


def as_shown(row: Any) -> ShownIncident:
    """A row of incident_rows without what the user may not see."""
    if row.is_mine:
        return ShownIncident(row, row.run_id, row.detail)
    return ShownIncident(row, None, "")


def times_chart(checks: Sequence[HealthCheck], simulated: bool) -> dict[str, Any]:
    """The medians of a board's checks over time, a colour and a marker an outcome; the band that was expected."""
    known = [check for check in reversed(checks[:CHART_CHECKS]) if check.median_us is not None]
    traces = [_trace(outcome, known) for outcome in COLOURS if any(c.outcome == outcome for c in known)]
    bands = [check for check in known if check.evidence.get("band")]
    if bands:
        traces.append(_limit(bands))
    title = "median, ms (simulated)" if simulated else "median, ms"
    layout = {
        "height": 340,
        "margin": {"l": 70, "r": 20, "t": 50, "b": 50},
        "hovermode": "closest",
        "showlegend": True,
        "legend": {"orientation": "h", "y": 1.03, "yanchor": "bottom", "x": 0},
        "xaxis": {"type": "date", "title": {"text": "time (UTC)"}},
        "yaxis": {"title": {"text": title}, "rangemode": "tozero", "automargin": True},
    }
    return {"figure": {"data": traces, "layout": layout}, "choices": []}


def _trace(outcome: str, checks: Sequence[HealthCheck]) -> dict[str, Any]:
    mine = [check for check in checks if check.outcome == outcome]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": outcome,
        "x": [_at(check) for check in mine],
        "y": [_ms(check.median_us) for check in mine],
        "customdata": [[f"check {check.pk}, {plain(str(check.golden))}"] for check in mine],
        "hovertemplate": "<b>%{customdata[0]}</b><br>%{y:.3f} ms<extra></extra>",
        "marker": {"color": COLOURS[outcome], "symbol": MARKERS[outcome], "size": 9},
    }


def _limit(checks: Sequence[HealthCheck]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "highest not suspicious",
        "x": [_at(check) for check in checks],
        "y": [_ms(check.evidence["band"]["highest"]) for check in checks],
        "hovertemplate": "%{y:.3f} ms<extra></extra>",
        "line": {"color": "#7f7f7f", "dash": "dot", "width": 1, "shape": "hv"},
    }


def _at(check: HealthCheck) -> str:
    return (check.ended_at or check.created_at).isoformat()


def _ms(us: float | None) -> float | None:
    return us / 1000 if us is not None else None
