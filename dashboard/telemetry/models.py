"""What a board told of itself over time: readings, changes of its fingerprint, and when a site's worker was seen.

Nothing here is believed further than its type: see readings.py for what becomes a number.
"""

from typing import Any, Self

from django.db import models
from django.db.models.functions import Now

from dashboard.boards.models import Board, Run


class BoardRowQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> Self:
        """Rows of the boards that a project of `user` may use."""
        return self.filter(board__in=Board.objects.visible_to(user).values("pk"))


class Moment(models.TextChoices):
    """When a reading was taken: on the first word with the board, or before or after what a run executed."""

    HELLO = "hello"
    BEFORE = "before"
    AFTER = "after"


class Reading(models.Model):
    """One look at a board's passing state. What the board did not tell, or told nonsense of, is null."""

    board = models.ForeignKey(Board, on_delete=models.CASCADE, related_name="readings", db_index=False)
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="readings")
    moment = models.CharField(max_length=10, choices=Moment)
    at = models.DateTimeField(db_default=Now())  # the database's clock: a board's own may say anything
    temperature_c = models.FloatField(null=True)
    load = models.FloatField(null=True)  # the average of one minute
    mem_available_kb = models.PositiveBigIntegerField(null=True)
    disk_free_bytes = models.PositiveBigIntegerField(null=True)
    npu_hz = models.PositiveBigIntegerField(null=True)
    cpu_hz = models.PositiveBigIntegerField(null=True)
    ddr_hz = models.PositiveBigIntegerField(null=True)

    objects = BoardRowQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["board", "-at"], name="reading_of_board"),  # the board's charts
            models.Index(fields=["at"], name="reading_by_age"),  # the sweep's question: which are old
        ]

    def __str__(self) -> str:
        return f"reading of {self.board_id} at {self.at}"


class FingerprintChange(models.Model):
    """A field of a board's fingerprint that is not what it was after the run before; they are kept for ever.

    `matters` says that times measured before and after must not be compared.
    """

    board = models.ForeignKey(Board, on_delete=models.CASCADE, related_name="changes", db_index=False)
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="changes")
    at = models.DateTimeField(db_default=Now())
    field = models.CharField(max_length=120)
    old = models.CharField(max_length=200)
    new = models.CharField(max_length=200)
    matters = models.BooleanField()

    objects = BoardRowQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["board", "-at"], name="change_of_board")]

    def __str__(self) -> str:
        return f"{self.field}: {self.old} -> {self.new}"


class SiteSeen(models.Model):
    """When a worker of a site was last known to live: its heartbeat's row goes when it ends well, this stays."""

    site = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.site} at {self.at}"
