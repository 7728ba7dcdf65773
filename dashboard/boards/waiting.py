"""Why a queued run has not begun: who stands before it, and what its boards are doing. A fixed number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.utils import timezone

from dashboard.boards.fairness import UNKNOWN_S, standings
from dashboard.boards.models import Board, BoardState, Lane, Run, Usage
from dashboard.boards.queue import misfit, suits
from dashboard.jobs.models import Job, State

NAMED = 3  # boards that a sentence names; the rest is counted


@dataclass(frozen=True)
class Wait:
    """How many queued jobs stand before it (of a run: of its project, with the same needs), and why it waits."""

    before: int
    reason: str


def waiting(run: Run) -> Wait:
    """What a queued run waits for."""
    return waits_of([run])[run]


def waits_of(runs: Sequence[Run]) -> dict[Job, Wait]:
    """The same for several runs, with as many queries as for one, as long as they are of one site."""
    farm = _Farm(runs)
    before = _before(runs)
    return {run: Wait(before.get(run.pk, 0), farm.reason(run)) for run in runs}


def _before(runs: Sequence[Run]) -> dict[int, int]:
    """How many runs of its lane go before each of them: a count over a part of the lane's index."""
    same = Run.objects.filter(
        Q(wanted_board__isnull=True) | Q(wanted_board=OuterRef("wanted_board")),
        Q(rank__gt=OuterRef("rank")) | Q(rank=OuterRef("rank"), pk__lt=OuterRef("pk")),
        state=State.QUEUED,
        lane=OuterRef("lane"),
        site=OuterRef("site"),
    )
    count = same.order_by().values("lane").annotate(number=Count("pk")).values("number")
    rows = Run.objects.filter(pk__in=[run.pk for run in runs]).annotate(before=Subquery(count))
    return {pk: number or 0 for pk, number in rows.values_list("pk", "before")}


class _Farm:
    """What there is to know about boards and competitors, read once for all runs."""

    def __init__(self, runs: Sequence[Run]) -> None:
        projects, sites = {run.project_id for run in runs}, {run.site for run in runs}
        self._now = timezone.now()
        boards = Board.objects.filter(projects__in=projects).distinct()
        self._boards = list(
            boards.select_related("run", "reserved_by")
            .defer("private_key", "host_key", "fingerprint", "run__log")
            .prefetch_related("projects")
            .order_by("pk")
        )
        live = Exists(Run.objects.waiting().filter(lane=OuterRef("pk")))
        lanes = Lane.objects.filter(Q(live) | Q(pk__in={run.lane_id for run in runs}))
        self._lanes = {lane.pk: lane for lane in lanes}
        used = Usage.objects.filter(site__in=sites)
        self._typical = {(usage.project_id, usage.site): usage.typical_s for usage in used}
        competing = projects | {lane.project_id for lane in self._lanes.values()}
        self._standings = {site: standings(site, competing) for site in sites}

    def reason(self, run: Run) -> str:
        """One sentence, without its full stop."""
        if run.not_before and run.not_before > self._now:
            seconds = (run.not_before - self._now).total_seconds()
            return f"it is tried again in {seconds:.0f} s"
        theirs = [board for board in self._boards if run.project_id in _members(board)]
        if run.wanted_board_id:
            theirs = [board for board in theirs if board.pk == run.wanted_board_id]
            if not theirs:
                return "the project may no longer use its board"
        lane = self._lanes.get(run.lane_id or 0)
        suitable = [board for board in theirs if lane and board.site == run.site and suits(board, lane)]
        return self._occupied(run, suitable) if suitable else self._missing(run, theirs)

    def _missing(self, run: Run, boards: list[Board]) -> str:
        """What no board has; the first thing that rules all of them out."""
        left = [board for board in boards if board.platform == run.platform]
        if not left:
            return f"no board suits it: the project has none of the platform {run.platform}"
        lane = self._lanes.get(run.lane_id or 0)
        if lane and not (left := [board for board in left if board.is_simulation == lane.simulation]):
            return f"no board suits it: {misfit(lane.simulation)}"
        if not (left := [board for board in left if board.site == run.site]):
            return f"no board suits it: the site {run.site} has none of the platform {run.platform}"
        if run.runtime_version and not (
            left := [board for board in left if board.runtime_version == run.runtime_version]
        ):
            return f"no board suits it: none has the runtime version {run.runtime_version}"
        missing = sorted(set(run.labels) - set().union(*(board.labels for board in left)))
        if missing:
            return f"no board suits it: none has the label {', '.join(missing)}"
        return f"no board suits it: none has all of {', '.join(run.labels)}"

    def _occupied(self, run: Run, boards: list[Board]) -> str:
        told = [(board, self._state(board, run)) for board in boards]
        if any(state == "" for _, state in told):
            return "about to begin"
        if len(told) > 1 and all(board.run_id and board.state == BoardState.READY for board, _ in told):
            first = min(self._end(board) for board, _ in told)
            text = f"all {len(told)} boards are busy, the first probably until {_clock(first, self._now)}"
        else:
            text = "; ".join(f"{board.name} is {state}" for board, state in told[:NAMED])
            text += f"; and {len(told) - NAMED} more boards are not free" if len(told) > NAMED else ""
        return text + self._turn(run, boards)

    def _state(self, board: Board, run: Run) -> str:
        """What the board does instead; empty when it could take the run now."""
        if why := self._closed(board, run):
            return why
        if board.held_by:
            return f"busy with {board.held_by}"
        if board.run_id is None:
            return ""
        theirs = f"run {board.run_id}" if _same_project(board, run) else "another project's run"
        return f"busy with {theirs}, probably until {_clock(self._end(board), self._now)}"

    def _closed(self, board: Board, run: Run) -> str:
        """Why the board would not take the run even if it were idle."""
        named = run.wanted_board_id == board.pk
        health = run.is_health and named
        twin = run.is_twin and named and not board.is_reserved
        match board.state:
            case BoardState.UNHEALTHY if health or twin:
                return ""
            case BoardState.UNHEALTHY if board.reason:
                return f"unhealthy ({board.reason})"
            case BoardState.DRAINING:
                return "draining: it ends what it runs, then it pauses"
            case BoardState.READY:
                theirs = board.is_reserved and board.reserved_by_id != run.created_by_id
                if theirs and not (health and not board.undisturbed):
                    return f"reserved by {board.reserved_by} until {_clock(board.reserved_until, self._now)}"
                return ""
        return str(board.state)

    def _end(self, board: Board) -> datetime:
        """When the board's run ends if it takes as long as its project's runs usually do here."""
        assert board.run is not None
        typical = self._typical.get((board.run.project_id, board.site)) or UNKNOWN_S
        return max((board.run.started_at or self._now) + timedelta(seconds=typical), self._now)

    def _turn(self, run: Run, boards: list[Board]) -> str:
        """Who else waits for these boards, and whether one of them goes first."""
        members = set().union(*map(_members, boards)) - {run.project_id}
        others = {
            lane.project_id
            for lane in self._lanes.values()
            if lane.project_id in members and any(suits(board, lane) for board in boards)
        }
        if not others:
            return ""
        used = self._standings[run.site]
        first = any(used[other] < used[run.project_id] for other in others)
        whose = ", and it is another project's turn" if first else ""
        number = f"{len(others)} other project{'s' if len(others) > 1 else ''}"
        return f"; {number} wait{'' if len(others) > 1 else 's'} for the same boards{whose}"


def _members(board: Board) -> set[int]:
    return {project.pk for project in board.projects.all()}


def _same_project(board: Board, run: Run) -> bool:
    return board.run is not None and board.run.project_id == run.project_id


def _clock(moment: datetime | None, now: datetime) -> str:
    """The time of day, with the day when it is not today's."""
    if moment is None or moment <= now:
        return "any moment"
    return f"{moment:%H:%M} UTC" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M} UTC"
