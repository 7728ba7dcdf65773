"""The health check of a board: a run of a golden model there, and the judgement of what it brought back."""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.urls import reverse

from dashboard.boards.models import Board, Run
from dashboard.health.models.golden import GoldenModel
from dashboard.jobs.models import ENDED, Job, JobQuerySet, State


class Cause(models.TextChoices):
    """Why a board is checked."""

    SCHEDULE = "schedule"
    INCIDENT = "incident"
    RECOVERY = "recovery"  # it was out of reach and is tried again
    POWER = "power"  # its power was switched
    CONFIRM = "confirm"  # an earlier check found it slower
    ASKED = "asked"


class Outcome(models.TextChoices):
    """What a check found. The first two are good, the last says nothing about the board."""

    PASSED = "passed"
    SUSPECT = "suspect"  # slower than ever, to be confirmed
    DIFFERS = "differs"
    NEW_STACK = "new stack"  # differs, and so does its runtime, driver or kernel
    SLOWER = "slower"
    UNKNOWN = "cannot tell"


BAD = (Outcome.DIFFERS, Outcome.NEW_STACK, Outcome.SLOWER)


class HealthCheckQuerySet(JobQuerySet):
    def to_ring(self) -> Self:
        """Queued checks whose run has ended: only then is there something to judge."""
        return super().to_ring().filter(run__state__in=ENDED)


class HealthCheck(Job):
    """Judges a run of the golden model on a board: outputs bit by bit, time by its trend."""

    kind = "check"
    task = "workers.check"
    in_vain = "board:none-suitable"

    board = models.ForeignKey(Board, on_delete=models.CASCADE, related_name="checks")
    golden = models.ForeignKey(GoldenModel, on_delete=models.CASCADE, related_name="checks")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="health_check")
    cause = models.CharField(max_length=10, choices=Cause)
    because = models.CharField(max_length=200, blank=True)
    confirms = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="confirmations")
    outcome = models.CharField(max_length=12, choices=Outcome, blank=True)
    stack = models.CharField(max_length=64, blank=True)  # what decides about outputs, see stacks.py
    stratum = models.CharField(max_length=64, blank=True)  # within which times compare
    median_us = models.FloatField(null=True)
    evidence = models.JSONField(default=dict)

    objects: ClassVar[Any] = HealthCheckQuerySet.as_manager()

    class Meta(Job.Meta):
        indexes = [
            *Job.Meta.indexes,
            # a board's last checks, and the times that a new one is measured by
            models.Index(fields=["board", "golden", "outcome", "-id"], name="checks_of_board"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["board"],
                condition=Q(state__in=[State.QUEUED, State.RUNNING]),
                name="one_check_of_a_board_at_a_time",
            )
        ]

    @property
    def queue(self) -> str:
        return "compare"

    @property
    def title(self) -> str:
        return f"Check the health of {self.board.label}"

    def get_absolute_url(self) -> str:
        return reverse("health-check", args=[self.pk])

    @property
    def is_ready(self) -> bool:
        """Has its run ended, so that there is something to judge?"""
        return self.run.has_ended

    @property
    def is_bad(self) -> bool:
        return self.outcome in BAD
