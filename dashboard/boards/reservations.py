"""A person has a board for themselves until an end that they name; runs of others wait meanwhile."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from dashboard.boards.models import Board
from dashboard.boards.services import record_of_board


class NotReserved(ValueError):
    """The reservation cannot be made or ended; the text says why."""


class BadEnd(NotReserved):
    """The end is past, or too far away."""


def reserve(board: Board, user: Any, until: datetime, undisturbed: bool = False) -> None:
    """Give the board's runs to `user` until then; who has it already moves the end. A run that holds it goes on.

    `undisturbed`: runs for the board's health wait too. Raises BadEnd, NotReserved when somebody else has it.
    """
    now = timezone.now()
    if not now < until <= now + timedelta(hours=settings.RESERVATION_HOURS, seconds=60):
        raise BadEnd(f"The end must lie within the next {settings.RESERVATION_HOURS} hours.")
    over = Q(reserved_until__isnull=True) | Q(reserved_until__lte=Now()) | Q(reserved_by__isnull=True)
    mine = Board.objects.filter(over | Q(reserved_by=user), pk=board.pk)
    taken = mine.update(reserved_by=user, reserved_until=until, undisturbed=undisturbed)
    board.refresh_from_db(fields=["reserved_by", "reserved_until", "undisturbed"])
    if not taken:
        raise NotReserved(f"{board.reserved_by} has it until {board.reserved_until:%Y-%m-%d %H:%M} UTC.")
    record_of_board("board.reserved", board, user, f"{board.name} until {until:%Y-%m-%d %H:%M}")


def release(board: Board, by: Any, is_admin: bool) -> None:
    """End the reservation: who holds it gives it back, an admin ends any. Without one nothing happens.

    Raises NotReserved for everybody else.
    """
    mine = Board.objects.filter(pk=board.pk, reserved_by__isnull=False)
    mine = mine if is_admin else mine.filter(reserved_by=by)
    if mine.update(reserved_by=None, reserved_until=None, undisturbed=False):
        record_of_board("board.released", board, by)
    board.refresh_from_db(fields=["reserved_by", "reserved_until", "undisturbed"])
    if board.is_reserved:
        raise NotReserved(f"{board.reserved_by} has it; only they and admins may end that.")
