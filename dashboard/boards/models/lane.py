"""Where runs wait, and how much of a site's boards a project has used."""

from collections.abc import Collection
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models.functions import Now

from dashboard.boards.models.board import Board
from dashboard.projects.models import Project


class LaneQuerySet(models.QuerySet["Lane"]):
    def for_board(self, board: Board) -> Self:
        """The lanes of the board's projects whose runs it satisfies, but for their labels."""
        versions = sorted({"", board.runtime_version})
        return self.filter(
            project__boards=board.pk,
            platform=board.platform,
            simulation=board.is_simulation,
            runtime_version__in=versions,
        )

    def served_by(self, board: Board) -> list["Lane"]:
        """The lanes of the board's projects whose runs the board satisfies."""
        return [lane for lane in self.for_board(board) if lane.needs <= set(board.labels)]


class Lane(models.Model):
    """Where a project's runs with the same needs wait: which platform, runtime version and labels they ask for, and
    whether their artifacts are for simulated boards.

    A board looks at the head of each lane that it can serve, so that what waits behind the heads costs nothing.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="lanes")
    platform = models.CharField(max_length=40)
    simulation = models.BooleanField(default=False)  # artifacts for simulated boards, which take no others
    runtime_version = models.CharField(max_length=80, blank=True)  # empty: any
    labels = models.CharField(max_length=400, blank=True)  # sorted, separated by blanks

    objects: ClassVar[Any] = LaneQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "platform", "simulation", "runtime_version", "labels"], name="lane_once"
            )
        ]

    def __str__(self) -> str:
        return " ".join([self.platform, self.runtime_version, self.labels]).strip()

    @property
    def needs(self) -> set[str]:
        """The labels that a board must have."""
        return set(self.labels.split())

    @staticmethod
    def words(labels: Collection[str]) -> str:
        """The labels as they are stored."""
        return " ".join(sorted(set(labels)))


class Usage(models.Model):
    """How long a project has held boards of a site lately; decides whose turn it is (see fairness.py)."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    site = models.CharField(max_length=40)
    seconds = models.FloatField(default=0.0)  # of board time, decayed up to `at`
    typical_s = models.FloatField(default=0.0)  # how long its runs usually take; 0: none has ended yet
    at = models.DateTimeField(default=Now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "site"], name="usage_once")]

    def __str__(self) -> str:
        return f"{self.seconds:.0f} s of {self.site}"
