"""Why boards are quarantined, and which of the reasons end by themselves or by a passing check."""

from functools import reduce
from operator import or_

from django.db.models import Q

from dashboard.boards import services

POWER_CYCLED = "board:power-cycled"  # it waits for the check that follows
PASSING = (*services.PASSING, POWER_CYCLED)
# a passing check says nothing about these: whose machine it is, and whether it keeps running
UNPROVEN = frozenset(["board:host-key-changed", "board:rebooted"])


def is_passing(reason: str) -> bool:
    """May a board that is quarantined for this reason come back by itself, to be tried?"""
    return reason.startswith(PASSING)


def is_ended_by_a_check(reason: str) -> bool:
    """Does a passing check end a quarantine for this reason? Also one for failures of runs: it computes again, rightly.

    What a check itself found (other numbers, slower), and restarts too often, wait for an admin.
    """
    code = reason.split(": ", maxsplit=1)[0]
    return is_passing(reason) or (code not in UNPROVEN and reason == services.reason_of_failures(code))


def passing(field: str = "reason") -> Q:
    """Whether it may come back by itself, for rows."""
    return reduce(or_, (Q(**{f"{field}__startswith": code}) for code in PASSING))
