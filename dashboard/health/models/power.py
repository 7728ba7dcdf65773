"""The switch of a board's power, and the job that switches it and waits for the board to come back."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from dashboard.boards.models import Board, Run
from dashboard.jobs.models import Job, JobQuerySet, State


class SwitchKind(models.TextChoices):
    """How a board's power is switched, beyond a reboot by SSH."""

    NONE = "reboot", "reboot by SSH only"
    COMMAND = "command", "a command on the worker's machine"
    HTTP = "http", "an HTTP call (smart plug, PDU)"


class PowerSwitch(models.Model):
    """How one board is restarted. Addresses, headers and arguments are encrypted (see switches.py)."""

    board = models.OneToOneField(Board, on_delete=models.CASCADE, related_name="power_switch")
    kind = models.CharField(max_length=10, choices=SwitchKind)
    configuration = models.TextField()  # encrypted JSON
    automatic = models.BooleanField(default=True)  # also after a hang, not only when an admin says so
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    def __str__(self) -> str:
        return f"power switch of {self.board_id}"


class PowerCycleQuerySet(JobQuerySet):
    def to_ring(self) -> Self:
        """Queued ones whose board nobody holds any more."""
        return super().to_ring().filter(self.nobody_holds())

    @staticmethod
    def nobody_holds() -> Q:
        """Neither a run nor a probe."""
        return Q(board__run__isnull=True, board__held_by="")


class PowerCycle(Job):
    """Restarts a board, by the gentlest means that works, and waits until it answers again.

    `boot_id` is what the board called its boot before, as far as anybody knows; a change proves the restart.
    """

    kind = "power"
    task = "workers.power"

    board = models.ForeignKey(Board, on_delete=models.CASCADE, related_name="power_cycles")
    site = models.CharField(max_length=40)
    automatic = models.BooleanField(default=False)
    code = models.CharField(max_length=40, blank=True)  # the failure that asks for it
    because = models.CharField(max_length=200, blank=True)
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="+")
    boot_id = models.CharField(max_length=100, blank=True)
    boot_id_after = models.CharField(max_length=100, blank=True)
    state_before = models.CharField(max_length=10, blank=True)  # of the board; empty: it is left as it is
    reason_before = models.CharField(max_length=300, blank=True)
    done = models.CharField(max_length=200, blank=True)  # what was done, in words

    objects: ClassVar[Any] = PowerCycleQuerySet.as_manager()

    class Meta(Job.Meta):
        indexes = [
            *Job.Meta.indexes,
            models.Index(fields=["board", "-created_at"], name="power_of_board"),  # the limit per hour
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["board"],
                condition=Q(state__in=[State.QUEUED, State.RUNNING]),
                name="one_power_cycle_at_a_time",
            )
        ]

    @property
    def queue(self) -> str:
        return f"boards.{self.site}"

    @property
    def title(self) -> str:
        return f"Switch the power of {self.board.label}"

    def get_absolute_url(self) -> str:
        return reverse("job", args=[self.kind, self.pk])

    def _may_start(self) -> Q:
        return PowerCycleQuerySet.nobody_holds()
