"""What the rest of the site calls: the dispatcher's turn, and what follows from the end of a job."""

import logging

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from dashboard.boards.models import Board, BoardState, Run
from dashboard.boards.services import SICK_AFTER, set_state
from dashboard.health import aftermath, power, twins, watches
from dashboard.health.checks import CHECKED_STATES, request_check
from dashboard.health.golden import golden_for
from dashboard.health.models import BoardWatch, Cause, HealthCheck, PowerCycle, TwinCheck
from dashboard.health.reasons import POWER_CYCLED, is_passing
from dashboard.jobs.models import Job, State

logger = logging.getLogger(__name__)
AT_ONCE = 20


def turn() -> int:
    """Look at the boards that are due; how many. May run in several dispatchers: rows decide who acts.

    Two indexed queries while nobody is due.
    """
    for board in Board.objects.filter(watch__isnull=True).defer("fingerprint")[:AT_ONCE]:
        _begin_to_watch(board)
    return sum(look_at(watch.pk) for watch in due()[:AT_ONCE])


def due() -> QuerySet[BoardWatch]:
    """Boards that are to be looked at now: in service or quarantined, and not being checked already."""
    checks = HealthCheck.objects.filter(board=OuterRef("board"), state__in=[State.QUEUED, State.RUNNING])
    return (
        BoardWatch.objects.filter(~Exists(checks), due_at__lte=Now(), board__state__in=CHECKED_STATES)
        .order_by("due_at")
        .only("pk")
    )


@transaction.atomic
def look_at(pk: int) -> bool:
    """Check one board that is due, or try one again that nothing can check; False when somebody else just did."""
    locked = Board.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
    board = locked.filter(watch__pk=pk).first()  # the board before its watch, as everybody does
    watch = BoardWatch.objects.filter(pk=pk, due_at__lte=Now()).first()
    if board is None or watch is None:
        return False
    watches.look_again(board, watches.interval_s(), tries=watch.tries)
    if request_check(board, Cause(watch.cause), watch.because) is None and golden_for(board) is None:
        try_again(board)
    return True


def try_again(board: Board) -> None:
    """Without a golden model only work can tell: back into service, on probation until the next failure or success."""
    if board.state == BoardState.UNHEALTHY and is_passing(board.reason):
        set_state(board, BoardState.READY)
        Board.objects.filter(pk=board.pk).update(failures_in_a_row=SICK_AFTER - 1)
        logger.info("%s was out of reach and is tried again", board)


def follow(job: Job) -> None:
    """What follows for boards from the end of this job; called in the transaction that ends it."""
    match job:
        case Run():
            aftermath.of_run(job)
            twins.proceed(job)
        case HealthCheck(state=State.CANCELLED):
            job.run.cancel()
        case TwinCheck(state=State.CANCELLED):
            twins.cancel_runs(job)
        case PowerCycle():
            power.ended(job)


def _begin_to_watch(board: Board) -> None:
    """A board that is new here, or older than this room."""
    watches.spread(Board.objects.filter(pk=board.pk), watches.interval_s())
    if board.state == BoardState.UNHEALTHY and is_passing(board.reason):
        cause = Cause.POWER if board.reason.startswith(POWER_CYCLED) else Cause.RECOVERY
        watches.look_again(board, watches.rest_s(0), cause, board.reason)
