"""When each board is looked at next, and why."""

from django.db import models

from dashboard.boards.models import Board
from dashboard.health.models.check import Cause


class BoardWatch(models.Model):
    """One row a board: the dispatcher's question "who is due?" is one look into an index."""

    board = models.OneToOneField(Board, on_delete=models.CASCADE, related_name="watch")
    due_at = models.DateTimeField(db_index=True)
    cause = models.CharField(max_length=10, choices=Cause, default=Cause.SCHEDULE)
    because = models.CharField(max_length=200, blank=True)
    tries = models.PositiveIntegerField(default=0)  # in vain, since it was last in reach

    def __str__(self) -> str:
        return f"{self.board_id} is due at {self.due_at}"
