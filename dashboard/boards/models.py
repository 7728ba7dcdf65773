"""Boards, and the runs that they execute. A board is held by at most one run (`Board.run` is unique)."""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.urls import reverse

from dashboard.conversions.models import Artifact
from dashboard.jobs.models import Job, JobQuerySet
from dashboard.layers.models import Dump
from dashboard.projects.models import Project, ProjectOwnedQuerySet


class BoardState(models.TextChoices):
    """What a board may do. Whether it is busy is told by the run that holds it."""

    READY = "ready"
    PAUSED = "paused"
    OFFLINE = "offline"
    UNHEALTHY = "unhealthy"


class BoardQuerySet(models.QuerySet["Board"]):
    def visible_to(self, user: Any) -> Self:
        """Boards that a project of `user` may use."""
        return self.filter(projects__memberships__user=user).distinct()

    def free(self) -> Self:
        return self.filter(state=BoardState.READY, run__isnull=True)


class Board(models.Model):
    """A machine with an NPU, reached by SSH; it belongs to a site (a lab) and serves the projects named."""

    name = models.CharField(max_length=80, unique=True)
    site = models.CharField(max_length=40, default="local")
    projects = models.ManyToManyField(Project, related_name="boards")
    address = models.CharField(max_length=255)
    port = models.PositiveIntegerField(default=22)
    username = models.CharField(max_length=64, default="root")
    work_folder = models.CharField(max_length=255, blank=True)
    host_key = models.TextField()  # the pinned public key, as in known_hosts: type and base64
    private_key = models.TextField()  # encrypted, see keys.py
    platform = models.CharField(max_length=40, default="rv1126")
    npu = models.CharField(max_length=20, default="rknn1")
    simulated = models.BooleanField(default=False)
    quirks = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=BoardState, default=BoardState.READY)
    reason = models.CharField(max_length=300, blank=True)
    failures_in_a_row = models.PositiveIntegerField(default=0)
    fence = models.PositiveBigIntegerField(default=0)
    run = models.OneToOneField(
        "boards.Run", null=True, blank=True, on_delete=models.SET_NULL, related_name="holds"
    )
    fingerprint = models.JSONField(default=dict)
    seen_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BoardQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["platform", "state"], name="board_suitable")]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("board", args=[self.pk])

    @property
    def label(self) -> str:
        """The name as lists and titles show it; a board of software says so."""
        return f"{self.name} (simulated)" if self.simulated else self.name

    @property
    def shown_state(self) -> str:
        """The state for people: busy while a run holds it."""
        return "busy" if self.run_id else self.state


class RunQuerySet(JobQuerySet):
    def to_ring(self) -> Self:
        """Queued runs for which a board is free right now."""
        usable = Board.objects.free().filter(projects=OuterRef("project"), site=OuterRef("site"))
        free = usable.filter(platform=OuterRef("platform"))
        chosen = usable.filter(pk=OuterRef("wanted_board"))
        return (
            super()
            .to_ring()
            .filter(
                Q(Exists(free), wanted_board__isnull=True) | Q(Exists(chosen), wanted_board__isnull=False)
            )
        )


class Run(Job):
    """Executes an artifact on a board: outputs, timings, layer dump, fingerprint."""

    kind = "run"
    task = "workers.run"
    in_vain = "board:none-suitable"

    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="runs")
    platform = models.CharField(max_length=40)
    site = models.CharField(max_length=40, default="local")
    wanted_board = models.ForeignKey(
        Board, null=True, blank=True, on_delete=models.SET_NULL, related_name="wanted_runs"
    )
    board = models.ForeignKey(Board, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs")
    iterations = models.PositiveIntegerField(default=20)
    warmup = models.PositiveIntegerField(default=2)

    objects: ClassVar[Any] = RunQuerySet.as_manager()

    @property
    def queue(self) -> str:
        return f"boards.{self.site}"

    @property
    def title(self) -> str:
        board = self.board or self.wanted_board
        where = board.label if board else f"any {self.platform}"
        return f"Run {self.artifact.conversion.source} on {where}"

    def get_absolute_url(self) -> str:
        return reverse("run", args=[self.pk])

    @classmethod
    def most_at_once(cls) -> int:
        """One for each free board: the others would come in vain."""
        return Board.objects.free().count()

    def released(self) -> None:
        Board.objects.filter(run=self.pk).update(run=None)

    def hold(self, board: Board) -> int | None:
        """Take the board for this claimed run; the new fence, or None when somebody else was quicker."""
        held = Board.objects.free().filter(pk=board.pk).update(run=self, fence=F("fence") + 1, seen_at=Now())
        if not held:
            return None
        type(self).objects.filter(pk=self.pk).update(board=board)
        self.board = board
        board.refresh_from_db()
        return board.fence


class ResultQuerySet(ProjectOwnedQuerySet):
    project_path = "run__project"


class RunResult(models.Model):
    """What a run brought back. Times are in microseconds; all iterations are kept, the median is the run's number."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="result")
    simulated = models.BooleanField(default=False)
    dump = models.ForeignKey(Dump, null=True, on_delete=models.PROTECT, related_name="+")
    outputs_sha256 = models.CharField(max_length=64)
    init_us = models.PositiveBigIntegerField(null=True)
    iterations_us = models.JSONField(default=list)
    median_us = models.FloatField()
    hangs = models.PositiveIntegerField(default=0)
    timed_total_us = models.FloatField(null=True)
    timed_layers = models.JSONField(default=list)
    fingerprint_before = models.JSONField(default=dict)
    fingerprint_after = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ResultQuerySet.as_manager()

    def __str__(self) -> str:
        return f"result of run {self.run_id}"
