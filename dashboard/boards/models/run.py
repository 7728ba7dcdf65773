"""A run: an artifact on a board. A board is held by at most one run (`Board.run` is unique)."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.urls import reverse

from dashboard.boards.models.board import Board, BoardState
from dashboard.boards.models.lane import Lane
from dashboard.conversions.models import Artifact
from dashboard.jobs.models import STORING_SECONDS, Job, JobQuerySet, State, in_seconds

HEALTH_RANK = 100  # added to the priority of health runs: they go before everything that people ask for
PATIENCE_S = 0.5
RING_AGAIN_S = 5  # a board that stays idle although a run waits for it: its message was lost


class Purpose(models.TextChoices):
    """Why a run runs. Only the site's own health runs go first; twin checks, which developers ask for, wait in turn."""

    EVALUATION = "evaluation"
    HEALTH = "health"
    TWIN = "twin"


class RunQuerySet(JobQuerySet):
    def waiting(self) -> Self:
        """Queued runs that may begin now, wherever there is a board for them."""
        return self.filter(Q(not_before__isnull=True) | Q(not_before__lte=Now()), state=State.QUEUED)

    def to_ring(self, idle_for_s: float = 0.0) -> Self:
        """Queued runs that wake boards idle for so long, one a board; not those told of some seconds ago.

        Told of is a board rather than a run: which run it takes is decided when it takes one (queue.py).
        """
        from dashboard.boards.queue import wakers

        lately = in_seconds(-min(RING_AGAIN_S, settings.RING_AGAIN_SECONDS))
        untold = Q(published_at__isnull=True) | Q(published_at__lt=lately)
        return self.filter(untold, pk__in=wakers(idle_for_s)).order_by(
            F("published_at").asc(nulls_first=True), "pk"
        )

    def called(self) -> Self:
        """Of the runs that workers were told of, those that an idle board could begin."""
        from dashboard.boards.queue import wakers

        return super().called().filter(pk__in=wakers())


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
    purpose = models.CharField(max_length=10, choices=Purpose, default=Purpose.EVALUATION)
    priority = models.SmallIntegerField(default=0)
    labels = models.JSONField(default=list)  # labels that its board must have
    runtime_version = models.CharField(max_length=80, blank=True)  # empty: any
    sequence = models.BooleanField(default=False)  # also the sequence check: same input, alternating, reload
    lane = models.ForeignKey(Lane, null=True, editable=False, on_delete=models.CASCADE, db_index=False)
    rank = models.SmallIntegerField(default=0, editable=False)  # the priority, health runs first

    objects: ClassVar[Any] = RunQuerySet.as_manager()

    class Meta(Job.Meta):
        indexes = [
            *Job.Meta.indexes,
            # the head of a lane: for every board of the site, or for the one that is wanted
            models.Index(
                fields=["lane", "wanted_board", "site", "-rank", "id"],
                condition=Q(state=State.QUEUED),
                name="run_queue",
            ),
            # the same among the runs of the person who reserved the board
            models.Index(
                fields=["created_by", "lane", "wanted_board", "site", "-rank", "id"],
                condition=Q(state=State.QUEUED),
                name="run_queue_of_person",
            ),
        ]

    @property
    def queue(self) -> str:
        return f"boards.{self.site}"

    @property
    def title(self) -> str:
        board = self.board or self.wanted_board
        where = board.label if board else f"any {self.platform}"
        return f"Run {self.artifact.conversion.source} on {where}"

    @property
    def is_health(self) -> bool:
        return self.purpose == Purpose.HEALTH

    @property
    def is_twin(self) -> bool:
        """Is it one half of a twin check?"""
        return self.purpose == Purpose.TWIN

    def get_absolute_url(self) -> str:
        return reverse("run", args=[self.pk])

    @classmethod
    def longest_seconds(cls) -> float:
        return float(settings.RUN_SECONDS) + STORING_SECONDS

    @classmethod
    def most_at_once(cls) -> int:
        """One for each idle board: the others would come in vain."""
        return Board.objects.idle().count()

    @classmethod
    def to_tell(cls) -> RunQuerySet:
        """Not of boards that became idle this moment: whoever freed them takes their next run untold."""
        rows: RunQuerySet = cls.objects.to_ring(PATIENCE_S)
        return rows

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A new run gets its place in the queue."""
        if self._state.adding:
            self.line_up()
        super().save(*args, **kwargs)

    def line_up(self) -> None:
        """Set the lane and the rank that the run waits at; its needs never change."""
        self.rank = self.priority + (HEALTH_RANK if self.is_health else 0)
        self.lane, _ = Lane.objects.get_or_create(
            project_id=self.project_id,
            platform=self.platform,
            simulation=self.artifact.is_for_simulation,
            runtime_version=self.runtime_version,
            labels=Lane.words(self.labels),
        )

    def released(self) -> None:
        """Give the board back; one that is being drained pauses."""
        from dashboard.boards.fairness import charge_later

        if self.give_back():
            charge_later(self)

    def give_back(self) -> bool:
        """Let go of the board, if the run holds one, and say whether it did."""
        drained = Case(When(state=BoardState.DRAINING, then=Value(BoardState.PAUSED)), default=F("state"))
        return bool(Board.objects.filter(run=self.pk).update(run=None, free_at=Now(), state=drained))

    def hold(self, board: Board) -> int | None:
        """Take the board for this claimed run; the new fence, or None when somebody else was quicker."""
        held = Board.objects.open_to(self).filter(pk=board.pk)
        if not held.update(run=self, fence=F("fence") + 1, seen_at=Now(), free_at=None):
            return None
        type(self).objects.filter(pk=self.pk).update(board=board)
        self.board = board
        board.refresh_from_db()
        return board.fence


@receiver(pre_delete, sender=Run, dispatch_uid="give back")
def _give_back(instance: Run, **_: Any) -> None:
    """A run that is deleted, alone or with its project, leaves its board as any other that ends."""
    instance.give_back()
