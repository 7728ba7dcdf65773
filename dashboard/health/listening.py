"""What happens to boards becomes incidents, and reasons to look at them again."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Q
from django.db.models.signals import pre_delete

from dashboard.boards import events
from dashboard.boards.models import Board, BoardState, Purpose, Run
from dashboard.boards.services import SICK_AFTER
from dashboard.health import incidents, power, watches
from dashboard.health.models import Cause, Incident, IncidentKind
from dashboard.health.reasons import is_ended_by_a_check, is_passing

# what says nothing about the board's health: the model's fault, or its owner's
HARMLESS = frozenset(["board:rejected-artifact", "board:none-suitable", "board:disk-full"])
NO_WAY_IN = frozenset(["board:host-key-changed", "board:login-refused", "board:no-python"])
HANGS = frozenset(["board:npu-hung", "board:timed-out"])


def connect() -> None:
    """Listen from now on."""
    events.failure_counted.connect(failed, dispatch_uid="health")
    events.state_moved.connect(moved, dispatch_uid="health")
    events.host_key_pinned.connect(pinned, dispatch_uid="health")
    pre_delete.connect(forget, sender=Run, dispatch_uid="health")


def failed(sender: Any, board: Board, run: Run, code: str, detail: str, **_: Any) -> None:
    """A failure that is the board's: written down, looked into, and answered with the power switch after a hang."""
    incidents.note(board, IncidentKind.FAILURE, code=code, detail=detail, run=run)
    if code in HANGS and power.request_after_hang(board, run, code):
        return  # the check comes when its power was switched
    once_lost = is_passing(code) and board.failures_in_a_row < SICK_AFTER
    if run.purpose != Purpose.HEALTH and code not in HARMLESS | NO_WAY_IN and not once_lost:
        _look(board, code)


def moved(sender: Any, board: Board, before: str, by: Any, **_: Any) -> None:
    """A quarantine begins or ends; whoever comes back by hand is checked."""
    if board.state == BoardState.UNHEALTHY:
        code = board.reason.split(": ")[0]
        incidents.note(
            board, IncidentKind.QUARANTINE, code=code if len(code) <= 40 else "", detail=board.reason
        )
        if code not in NO_WAY_IN and not board.reason.startswith("board:unhealthy"):
            _look(board, board.reason)
    elif before == BoardState.UNHEALTHY:
        incidents.end(Q(kind=IncidentKind.QUARANTINE), board, str(by or "another try"), _person(by))
    if board.state == BoardState.READY and _person(by):
        watches.look_now(board, Cause.INCIDENT, f"{by} took it back into service")


def pinned(sender: Any, board: Board, before: str, by: Any, **_: Any) -> None:
    """Another host key: the machine behind the name may be another one."""
    detail = f"It was known as {before[:120]}"
    incidents.note(board, IncidentKind.HOST_KEY, detail=detail, ended_by=str(by or "manage.py"))
    watches.look_now(board, Cause.INCIDENT, "another host key was pinned")


def forget(sender: Any, instance: Run, **_: Any) -> None:
    """A run that is deleted takes its details along: without it nobody could tell whose they are."""
    Incident.objects.filter(run=instance).update(detail="", evidence={})


def _look(board: Board, reason: str) -> None:
    """Check it now; what is out of reach, or failed its check before, is left alone for a moment first."""
    if board.state == BoardState.UNHEALTHY and is_ended_by_a_check(board.reason):
        tries = board.watch.tries if hasattr(board, "watch") else 0
        rest_s = watches.rest_s(tries) if tries or is_passing(board.reason) else 0
        watches.look_again(board, rest_s, Cause.RECOVERY, board.reason, tries)
    else:
        watches.look_now(board, Cause.INCIDENT, reason)


def _person(by: Any) -> Any:
    return by if isinstance(by, AbstractBaseUser) else None
