"""A message about a run wakes a board: what waits for it is done one run after the other, in the order of the queue."""

import logging
import threading
import time
from functools import partial

from django.db import close_old_connections
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from dashboard.boards.models import Board, Run
from dashboard.boards.queue import claim_next, idle_boards_for, next_of, wakers
from dashboard.boards.services import forget_telling
from dashboard.dispatch import tell
from workers.lease import KEEPER
from workers.lifecycle import carry_out, this_worker
from workers.steps.run import run as do_run
from workers.steps.visit import Visit

logger = logging.getLogger(__name__)
TURN_SECONDS = 20.0  # after that another board may have this thread
NEGLECTED_S = 2.0
stopping = threading.Event()


def await_stop() -> None:
    """Have a thread at hand that gives back what this process is doing when it is told to end."""

    def let_go() -> None:
        stopping.wait()
        KEEPER.let_go()

    threading.Thread(target=let_go, name="letting go", daemon=True).start()


def stop() -> None:
    """This worker ends: begin nothing more, and give back what its threads are doing.

    Called by a signal, which may have interrupted whoever holds a lock: so it only sets an event. Processes of a pool
    hear nothing of this: they have the time of the soft shutdown.
    """
    stopping.set()


def serve(told: Run) -> None:
    """Do what waits for a board that could do `told`; the message may come late, or twice, or in vain."""
    run = begin(told)
    if run != told:
        forget_telling(told)
    until = time.monotonic() + TURN_SECONDS
    with Visit() as visit:
        while run:
            board = run.board
            carry_out(run, partial(do_run, visit=visit))
            close_old_connections()
            run = following(board, until) if board else None


def begin(told: Run) -> Run | None:
    """Claim the run whose turn it is on some idle board that suits; None when all are taken."""
    claims = (claim_next(board, this_worker()) for board in idle_boards_for(told))
    return next((run for run in claims if run), None)


def following(board: Board, until: float) -> Run | None:
    """The next run of the board, unless another board needs this thread: then a new message asks for the next."""
    if stopping.is_set():
        return None
    if time.monotonic() > until and is_needed_elsewhere():
        hand_over(board)
        return None
    return claim_next(board, this_worker())


def is_needed_elsewhere() -> bool:
    """Does a board stay idle though a run waits for it? Then there are fewer threads than boards with work."""
    return bool(wakers(NEGLECTED_S))


def hand_over(board: Board) -> None:
    """Ring for the board as the dispatcher would, only sooner."""
    idle = Board.objects.idle().filter(pk=board.pk).first()
    head = next_of(idle) if idle else None
    try:
        if head and (run := Run.objects.filter(pk=head.pk).defer("log").first()):
            tell(run)
    except (OperationalError, RedisError, OSError) as error:
        logger.warning("redis is away, the dispatcher will ring: %s", error)
