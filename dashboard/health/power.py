"""Verbs about power: ask for a restart after a hang or by hand, and what follows when it ended."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from dashboard.boards.models import Board, BoardState, Run
from dashboard.boards.services import SICK_AFTER, record_of_board, set_state
from dashboard.health import incidents, watches
from dashboard.health.golden import golden_for
from dashboard.health.models import Cause, IncidentKind, PowerCycle, PowerSwitch
from dashboard.health.reasons import POWER_CYCLED
from dashboard.jobs.failures import failure
from dashboard.jobs.models import State, in_seconds
from dashboard.projects.models import Project

HOUR_S = 3600
OUT_OF_SERVICE = (
    BoardState.PAUSED,
    BoardState.DRAINING,
)  # somebody said so: a restart changes nothing about it
RUNNING = (State.QUEUED, State.RUNNING)


class CannotSwitch(ValueError):
    """The board's power cannot be switched now; the text says why."""


@transaction.atomic
def request_after_hang(board: Board, run: Run, code: str) -> PowerCycle | None:
    """Restart the board because a run hung there: the run waits, and nobody else gets the board meanwhile.

    None when no switch is set up for it, or it was restarted too often in the last hour: then it is quarantined.
    """
    switch = PowerSwitch.objects.filter(board=board, automatic=True).first()
    locked = Board.objects.select_for_update(no_key=True).get(pk=board.pk)
    if switch is None or PowerCycle.objects.filter(board=board, state__in=RUNNING).exists():
        return None
    if restarts_lately(board) >= settings.POWER_CYCLES_PER_HOUR:
        most = settings.POWER_CYCLES_PER_HOUR
        if locked.state == BoardState.READY:
            reason = f"{code}: it hung again after {most} restarts in an hour"
            set_state(board, BoardState.UNHEALTHY, reason)
        return None
    return _begin(board, run.project, code=code, because=failure(code).title, run=run, automatic=True)


@transaction.atomic
def request_by_hand(board: Board, by: Any) -> PowerCycle:
    """Restart the board because an admin says so, as soon as the run that holds it has ended. Raises CannotSwitch."""
    Board.objects.select_for_update(no_key=True).only("pk").get(pk=board.pk)
    if not PowerSwitch.objects.filter(board=board).exists():
        raise CannotSwitch("No power switch is set up for this board.")
    if PowerCycle.objects.filter(board=board, state__in=RUNNING).exists():
        raise CannotSwitch("Its power is being switched already.")
    project = Project.objects.administered_by(by).filter(boards=board).order_by("pk").first()
    if project is None:
        raise CannotSwitch("Only an admin of a project that uses the board may do this.")
    record_of_board("power.requested", board, by)
    return _begin(board, project, because=f"{by} asked for it", by=by)


def restarts_lately(board: Board) -> int:
    """How often it was restarted without a person in the last hour."""
    lately = PowerCycle.objects.filter(board=board, created_at__gt=in_seconds(-HOUR_S), automatic=True)
    return lately.count()


def back(cycle: PowerCycle, boot_id: str, done: str) -> None:
    """The board answers again (or answered all the time); called in the transaction that ends the job."""
    PowerCycle.objects.filter(pk=cycle.pk).update(boot_id_after=boot_id[:100], done=done[:200])
    cycle.refresh_from_db(fields=["boot_id_after", "done"])


def ended(cycle: PowerCycle) -> None:
    """The board is checked when it came back, else it waits for a person; called in the same transaction."""
    board = Board.objects.get(pk=cycle.board_id)
    _end_incident(cycle, board)
    if board.state != BoardState.OFFLINE:
        return  # an admin has decided otherwise meanwhile
    if cycle.state == State.CANCELLED:
        _as_before(cycle, board)
    elif cycle.state != State.SUCCEEDED:
        set_state(board, BoardState.UNHEALTHY, f"{cycle.failure}: {cycle.detail}")
    elif golden_for(board):
        set_state(board, BoardState.UNHEALTHY, f"{POWER_CYCLED}: {cycle.done}; it waits for its check")
        watches.look_now(board, Cause.POWER, cycle.done)
    else:
        set_state(board, BoardState.READY)
        Board.objects.filter(pk=board.pk).update(failures_in_a_row=SICK_AFTER - 1)


def _as_before(cycle: PowerCycle, board: Board) -> None:
    """Nothing was switched yet: the board is what it was. Once it has begun nobody knows whether the board answers."""
    if cycle.started_at is None and cycle.state_before:
        set_state(board, BoardState(cycle.state_before), cycle.reason_before)
    else:
        told = f"the restart of its power ({cycle}) was cancelled midway: take it back into service when it answers"
        set_state(board, BoardState.OFFLINE, told)


def _begin(board: Board, project: Project, *, because: str, by: Any = None, **fields: Any) -> PowerCycle:
    before = Board.objects.get(pk=board.pk)
    is_in_service = before.state not in OUT_OF_SERVICE
    known = str(board.fingerprint.get("boot_id") or "")[:100]
    cycle = PowerCycle.objects.create(
        board=board,
        project=project,
        site=board.site,
        boot_id="" if board.simulated else known,
        because=because[:200],
        created_by=by,
        state_before=before.state if is_in_service else "",
        reason_before=before.reason if is_in_service else "",
        **fields,
    )
    incidents.note(board, IncidentKind.POWER, detail=because, run=fields.get("run"))
    if is_in_service:
        set_state(board, BoardState.OFFLINE, f"its power is switched: {because}", by=cycle)
    return cycle


def _end_incident(cycle: PowerCycle, board: Board) -> None:
    words = cycle.done if cycle.state == State.SUCCEEDED else f"{cycle.failure}: {cycle.detail}"
    mine = board.incidents.filter(Q(kind=IncidentKind.POWER), ended_at__isnull=True)
    mine.update(detail=f"{cycle.because}\n{words}"[:4000], ended_at=Now(), ended_by=str(cycle))
