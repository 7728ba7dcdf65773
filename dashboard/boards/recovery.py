"""Boards that were out of reach get another chance by themselves: a reboot or a pulled cable needs no admin."""

import logging
from collections.abc import Callable
from functools import reduce
from operator import or_
from time import monotonic

from django.db.models import Q, QuerySet

from dashboard.boards.models import Board, BoardState
from dashboard.boards.services import SICK_AFTER

logger = logging.getLogger(__name__)
REST_SECONDS = 60.0
PASSING = ("board:unreachable", "board:link-lost")  # What ends by itself; the rest waits for an admin.


class Recovery:
    """Remembers since when each board has been out of reach; one per dispatcher, nothing lost with it."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._since: dict[int, float] = {}

    def turn(self) -> int:
        """Put boards that have rested back to work, on probation: the next failure quarantines again. How many."""
        now = self._clock()
        resting = out_of_reach()
        self._since = {pk: self._since.get(pk, now) for pk in resting.values_list("pk", flat=True)}
        due = [pk for pk, since in self._since.items() if now - since >= REST_SECONDS]
        released = resting.filter(pk__in=due).update(
            state=BoardState.READY, reason="", failures_in_a_row=SICK_AFTER - 1
        )
        if released:
            logger.info("%s boards that were out of reach are tried again", released)
        return released


def out_of_reach() -> QuerySet[Board]:
    """Boards that are quarantined for a reason that may have passed."""
    return Board.objects.filter(
        reduce(or_, (Q(reason__startswith=code) for code in PASSING)), state=BoardState.UNHEALTHY
    )
