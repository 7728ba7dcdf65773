"""What the pages of boards show, in a fixed number of queries: the queue before each, its temperature, its runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from dashboard.boards.charts import medians_chart
from dashboard.boards.models import Board, BoardState, Lane, Run
from dashboard.boards.queue import suits
from dashboard.jobs.listing import with_titles
from dashboard.jobs.models import State
from dashboard.telemetry.models import Reading

LOG_LINES, LOG_CHARACTERS = 12, 4000
RUNS_SHOWN, RUNS_DRAWN = 20, 60
STATES = [*BoardState.values, "busy"]


def with_temperature(boards: QuerySet[Board]) -> QuerySet[Board]:
    """The boards with `temperature_c`, the last that each told."""
    told = Reading.objects.filter(board=OuterRef("pk"), temperature_c__isnull=False).order_by("-at")
    return boards.annotate(temperature_c=Subquery(told.values("temperature_c")[:1]))


@dataclass(frozen=True)
class Filter:
    """What a list of boards is narrowed by; an empty word narrows nothing."""

    state: str = ""
    platform: str = ""
    site: str = ""
    label: str = ""
    made_of: str = ""  # "real" or "simulated"

    @classmethod
    def of(cls, query: Any) -> "Filter":
        """From a page's address; words that nothing is called by find nothing."""
        return cls(
            **{name: str(query.get(name, ""))[:80].replace("\0", "") for name in cls.__dataclass_fields__}
        )

    def apply(self, boards: QuerySet[Board]) -> QuerySet[Board]:
        if self.state == "busy":
            boards = boards.filter(Q(run__isnull=False) | ~Q(held_by=""))
        elif self.state:
            boards = boards.filter(state=self.state, run__isnull=True, held_by="")
        boards = boards.filter(platform=self.platform) if self.platform else boards
        boards = boards.filter(site=self.site) if self.site else boards
        if self.made_of:
            boards = boards.filter(simulated=self.made_of == "simulated")
        return boards.filter(pk__in=_labelled(boards, self.label)) if self.label else boards


def _labelled(boards: QuerySet[Board], label: str) -> list[int]:
    """Lists in JSON are searched here: SQLite cannot."""
    return [pk for pk, labels in boards.values_list("pk", "labels") if label in labels]


@dataclass(frozen=True)
class Choices:
    """What the filters of a list offer."""

    platforms: Sequence[str]
    sites: Sequence[str]
    labels: Sequence[str]

    @classmethod
    def among(cls, boards: QuerySet[Board]) -> "Choices":
        rows = list(boards.values_list("platform", "site", "labels"))
        labels = {str(label) for _, _, own in rows for label in own}
        return cls(sorted({row[0] for row in rows}), sorted({row[1] for row in rows}), sorted(labels))


def queue_lengths(boards: Iterable[Board]) -> dict[int, int]:
    """How many queued runs each board might take, of all projects; three queries, whatever waits."""
    shown = list(boards)
    used = Board.projects.through.objects.filter(board_id__in=[board.pk for board in shown])
    projects: dict[int, set[int]] = {}
    for board_id, project_id in used.values_list("board_id", "project_id"):
        projects.setdefault(board_id, set()).add(project_id)
    queued = Run.objects.filter(state=State.QUEUED).order_by().values("lane", "site", "wanted_board")
    groups = list(queued.annotate(number=Count("pk")))
    lanes = Lane.objects.in_bulk([group["lane"] for group in groups])
    return {
        board.pk: sum(
            group["number"]
            for group in groups
            if _might_take(board, projects.get(board.pk, set()), group, lanes.get(group["lane"]))
        )
        for board in shown
    }


def _might_take(board: Board, projects: set[int], group: dict[str, Any], lane: Lane | None) -> bool:
    if group["wanted_board"] is not None:
        return bool(group["wanted_board"] == board.pk)
    if lane is None or group["site"] != board.site or lane.project_id not in projects:
        return False
    return suits(board, lane)


@dataclass(frozen=True)
class RunRow:
    """A run of the board's table, and how its median stands to the one of the same artifact before it."""

    run: Run
    change: float | None  # 0.01: one percent slower


def runs_of(board: Board, user: Any) -> tuple[list[RunRow], dict[str, Any] | None]:
    """The user's last runs on the board, newest first, and the chart of their medians; one query."""
    runs = with_titles(Run.objects.visible_to(user)).select_related("result").defer(*_UNREAD)
    last = list(runs.filter(board=board).order_by("-pk")[:RUNS_DRAWN])
    before: dict[int, float] = {}
    rows = []
    for run in reversed(last):
        median = _median(run)
        earlier = before.get(run.artifact_id)
        rows.append(RunRow(run, median / earlier - 1 if median and earlier else None))
        if median:
            before[run.artifact_id] = median
    measured = [run for run in reversed(last) if _median(run)]
    return rows[::-1][:RUNS_SHOWN], medians_chart(measured) if len(measured) > 1 else None


_SECRET = ("board__private_key", "wanted_board__private_key")
_UNREAD = (
    *_SECRET,
    "log",
    "result__timed_layers",
    "result__iterations_us",
    "result__fingerprint_before",
    "result__fingerprint_after",
)


def _median(run: Run) -> float | None:
    result = getattr(run, "result", None)
    return result.median_us if result else None


def current_run(board: Board, user: Any) -> Run | None:
    """The run that holds the board, with its log, if the user may see it."""
    runs = Run.objects.visible_to(user).filter(holds=board)
    return (
        with_titles(runs).defer(None).defer(*_SECRET).select_related("project").first()
        if board.run_id
        else None
    )


def last_lines(log: str) -> str:
    """The end of a log, for a look at what happens now."""
    return "\n".join(log[-LOG_CHARACTERS:].splitlines()[-LOG_LINES:])
