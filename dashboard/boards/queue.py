"""Which run a board takes next, and which boards have to be woken. Both cost the same however many runs wait.

A board sees only the heads of the lanes that it can serve. Of those it takes the highest rank; among projects of that
rank, the one that has used the site least (fairness.py); within a project, the oldest run.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from dashboard.boards.fairness import standings
from dashboard.boards.models import HEALTH_RANK, Board, BoardState, Lane, Purpose, Run

PLACES = ("lane_id", "wanted_board_id", "site", "-rank", "pk")  # in the order of the index run_queue
TRIES = 3  # a head that another board took in the same moment


@dataclass(frozen=True)
class Door:
    """A kind of runs that a board lets in; `order` is the order of the index that finds their heads."""

    runs: Q
    order: tuple[str, ...] = PLACES


@dataclass(frozen=True)
class Head:
    """The first run of a lane behind a door."""

    pk: int
    rank: int
    project: int
    lane: int
    door: Door


def doors(board: Board) -> list[Door]:
    """What the board takes now: for everybody, for the person who reserved it, or health runs only."""
    anywhere, here = Q(wanted_board__isnull=True), Q(wanted_board=board.pk)
    health = Door(here & Q(rank__gte=HEALTH_RANK))
    if board.state == BoardState.UNHEALTHY:  # a twin check may ask whether it is the board, but in turn
        return [health] + [Door(here & Q(purpose=Purpose.TWIN))] * (not board.is_reserved)
    if board.state != BoardState.READY:
        return []
    if not board.is_reserved:
        return [Door(here), Door(anywhere)]
    own = Q(created_by=board.reserved_by_id)
    order = ("created_by_id", *PLACES)
    return [Door(own & here, order), Door(own & anywhere, order)] + [health] * (not board.undisturbed)


def next_of(board: Board) -> Head | None:
    """The run whose turn it is on this board."""
    found = heads(board)
    if not found:
        return None
    top = max(head.rank for head in found)
    first = [head for head in found if head.rank == top]
    projects = {head.project for head in first}
    if top >= HEALTH_RANK or len(projects) == 1:
        return min(first, key=lambda head: head.pk)
    used = standings(board.site, projects)
    return min(first, key=lambda head: (used[head.project], head.pk))


def heads(board: Board) -> list[Head]:
    """The head of every lane that the board can serve, behind each of its doors. One query."""
    asked = {f"door{number}": door for number, door in enumerate(doors(board))}
    if not asked:
        return []
    found = Lane.objects.for_board(board).annotate(
        **{name: _head(door, board.site, "pk") for name, door in asked.items()},
        **{f"{name}_rank": _head(door, board.site, "rank") for name, door in asked.items()},
    )
    return [
        Head(getattr(lane, name), getattr(lane, f"{name}_rank"), lane.project_id, lane.pk, door)
        for lane in found
        if lane.needs <= set(board.labels)
        for name, door in asked.items()
        if getattr(lane, name)
    ]


def _head(door: Door, site: str, column: str) -> Subquery:
    runs = Run.objects.waiting().filter(door.runs, site=site, lane=OuterRef("pk"))
    return Subquery(runs.order_by(*door.order).values(column)[:1])


def claim_next(board: Board, owner: str) -> Run | None:
    """Claim the run whose turn it is, together with the board; None when there is none, or the board is taken.

    One transaction: both or neither. Whoever is at the same board is not waited for: they will serve it. A run that
    another board is just taking is passed over.
    """
    with transaction.atomic():
        mine = Board.objects.idle().filter(pk=board.pk).defer("private_key", "host_key")
        locked = mine.select_for_update(skip_locked=True, no_key=True).first()
        for _ in range(TRIES):
            head = next_of(locked) if locked else None
            if locked is None or head is None:
                return None
            run = _first_unlocked(head, locked)
            if run and run.claim(owner):
                if run.hold(locked) is not None:
                    return run
                run.put_back(run.fence, refund=True)  # reserved or paused this very moment
                return None
    return None


def _first_unlocked(head: Head, board: Board) -> Run | None:
    """The head, or who stands behind it with the same rank while others are just taking the head."""
    runs = Run.objects.waiting().filter(head.door.runs, lane=head.lane, site=board.site, rank=head.rank)
    run: Run | None = (
        runs.order_by(*head.door.order)
        .defer("log")
        .select_for_update(skip_locked=True, no_key=True, of=("self",))
        .first()
    )
    return run


def idle_boards_for(told: Run) -> QuerySet[Board]:
    """Idle boards that could do this run, or one like it: a message may come when the run itself has begun."""
    lane = told.lane
    if lane is None:
        return Board.objects.none()
    boards = Board.objects.idle().filter(projects=told.project_id, site=told.site, platform=lane.platform)
    if told.wanted_board_id:
        boards = boards.filter(pk=told.wanted_board_id)
    fitting = [board.pk for board in boards if suits(board, lane)]
    return Board.objects.filter(pk__in=fitting).order_by("seen_at", "pk")


def suits(board: Board, lane: Lane) -> bool:
    """Does the board satisfy what the lane's runs need?"""
    return (
        board.platform == lane.platform
        and board.is_simulation == lane.simulation
        and lane.runtime_version in {"", board.runtime_version}
        and lane.needs <= set(board.labels)
    )


def misfit(simulation: bool) -> str:
    """Why boards of the right platform do not suit an artifact that is (or is not) for simulated ones."""
    if simulation:
        return (
            "only a board of software (NPU sim) executes what the toolkit reference makes, and there is none"
        )
    return "there are boards of software only (NPU sim), which execute what the toolkit reference makes"


def wakers(idle_for_s: float = 0.0) -> list[int]:
    """Ids of queued runs for which boards idle for so long should be woken, at most one a board.

    A few queries, none per run; one while no board is idle.
    """
    idle = Board.objects.idle_for(idle_for_s)
    if not idle.exists():
        return []
    lanes = list(Lane.objects.filter(Exists(Run.objects.waiting().filter(lane=OuterRef("pk")))))
    return list(dict.fromkeys(_woken(list(_looked_at(idle, lanes)), lanes))) if lanes else []


def _looked_at(idle: QuerySet[Board], lanes: list[Lane]) -> QuerySet[Board]:
    """The boards, each with a run pinned to it, a health or twin run for it, a run of who reserved it; any will do.

    Whether the board may take that very run is not asked here: see `_woken`.
    """
    pinned = Run.objects.waiting().filter(lane__in=lanes, wanted_board=OuterRef("pk"))
    own = Run.objects.waiting().filter(
        Q(wanted_board__isnull=True) | Q(wanted_board=OuterRef("pk")),
        created_by=OuterRef("reserved_by"),
        lane__in=lanes,
        site=OuterRef("site"),
    )
    return (
        idle.defer("private_key", "host_key", "fingerprint")
        .prefetch_related("projects")
        .annotate(
            pinned=Subquery(pinned.values("pk")[:1]),
            pinned_health=Subquery(pinned.filter(rank__gte=HEALTH_RANK).values("pk")[:1]),
            pinned_twin=Subquery(pinned.filter(purpose=Purpose.TWIN).values("pk")[:1]),
            own=Subquery(own.values("pk")[:1]),
        )
        .order_by("pk")
    )


def _woken(boards: list[Any], lanes: list[Lane]) -> Iterator[int]:
    """A run for each board: its own, or one of those that wait for any board, each of which wakes one."""
    open_boards: dict[tuple[int, str], list[int]] = defaultdict(list)
    own = {board.pk: _candidate(board) for board in boards}
    lane_of = dict(Run.objects.filter(pk__in=filter(None, own.values())).values_list("pk", "lane_id"))
    for board in boards:
        served = _served(board, lanes)
        mine = own[board.pk]
        if mine and lane_of.get(mine) not in served:  # the project or a label was taken from the board since
            head = next_of(board)
            mine = head.pk if head else None
        if mine:
            yield mine
        elif board.state == BoardState.READY and not board.is_reserved:
            for lane in served:
                open_boards[lane, board.site].append(board.pk)
    awake: set[int] = set()
    for (lane_id, site), idle in open_boards.items():
        sleeping = [pk for pk in idle if pk not in awake]
        runs = Run.objects.waiting().filter(wanted_board__isnull=True, lane=lane_id, site=site)
        found = list(runs.order_by(*PLACES).values_list("pk", flat=True)[: len(sleeping)])
        awake.update(sleeping[: len(found)])
        yield from found


def _candidate(board: Any) -> int | None:
    """The run that is likely to wake this board alone, of those that `_looked_at` found."""
    mine: int | None = board.pinned
    if board.state == BoardState.UNHEALTHY:
        mine = board.pinned_health or (None if board.is_reserved else board.pinned_twin)
    elif board.is_reserved:
        mine = board.own or (None if board.undisturbed else board.pinned_health)
    return mine


def _served(board: Board, lanes: list[Lane]) -> list[int]:
    """Those of the lanes that the board may take runs from."""
    members = {project.pk for project in board.projects.all()}
    return [lane.pk for lane in lanes if lane.project_id in members and suits(board, lane)]
