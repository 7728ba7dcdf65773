"""The twin check: the same artifact and inputs on two boards, to tell a bad board from a bad model."""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.urls import reverse

from dashboard.boards.models import Board, Run
from dashboard.conversions.models import Artifact
from dashboard.jobs.models import ENDED, Job, JobQuerySet
from dashboard.layers.models import Comparison


class TwinOutcome(models.TextChoices):
    """What the boards' answers say about each other."""

    EQUAL = "equal"
    BAD_BOARD = "bad board"  # a third board agrees with one of the two
    BAD_MODEL = "bad model"  # no two boards agree
    DIFFERS = "differs"  # and there is no third board to ask
    UNKNOWN = "cannot tell"


class TwinCheckQuerySet(JobQuerySet):
    def to_ring(self) -> Self:
        """Queued ones whose runs and comparison have all ended."""
        return (
            super()
            .to_ring()
            .filter(
                Q(referee_run__isnull=True) | Q(referee_run__state__in=ENDED),
                Q(comparison__isnull=True) | Q(comparison__state__in=ENDED),
                first_run__state__in=ENDED,
                second_run__state__in=ENDED,
            )
        )


class TwinCheck(Job):
    """Compares what two boards make of one artifact; a third one is asked when they differ."""

    kind = "twin"
    task = "workers.twin"
    in_vain = "board:none-suitable"

    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="+")
    first_run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+")
    second_run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+")
    referee_run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="+")
    comparison = models.ForeignKey(Comparison, null=True, on_delete=models.SET_NULL, related_name="+")
    outcome = models.CharField(max_length=12, choices=TwinOutcome, blank=True)
    bad_board = models.ForeignKey(Board, null=True, on_delete=models.SET_NULL, related_name="+")
    first_layer = models.CharField(max_length=300, blank=True)  # the first whose numbers differ
    sentence = models.CharField(max_length=500, blank=True)
    evidence = models.JSONField(default=dict)

    objects: ClassVar[Any] = TwinCheckQuerySet.as_manager()

    @property
    def queue(self) -> str:
        return "compare"

    @property
    def title(self) -> str:
        boards = [run.wanted_board for run in (self.first_run, self.second_run)]
        return "Twin check on " + " and ".join(board.label if board else "a board" for board in boards)

    @property
    def is_ready(self) -> bool:
        """Have its runs ended, so that there is something to compare?"""
        runs = (self.first_run, self.second_run, self.referee_run)
        return all(run.has_ended for run in runs if run)

    def get_absolute_url(self) -> str:
        return reverse("twin-check", args=[self.pk])
