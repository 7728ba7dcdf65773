"""The abstract Job: a piece of work with a beginning and an end, and the only place where its state moves."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Concat, Now, Right

from dashboard.jobs.failures import Failure, failure

LOG_CHARACTERS = 200_000
STORING_SECONDS = (
    1800.0  # what comes before and after the work that has a limit of its own: queues of disks, uploads
)


class State(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class Fence:
    """The right to move a running job: who claimed it, and at which attempt."""

    owner: str
    attempt: int


def in_seconds(seconds: float) -> "models.ExpressionWrapper[Any]":
    """The database's clock `seconds` from now: clocks of workers may differ, the database has one."""
    return models.ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=models.DateTimeField())


class JobQuerySet(models.QuerySet[Any]):
    """Questions about jobs, the same for every kind."""

    def visible_to(self, user: Any) -> Self:
        """Jobs of the projects that `user` is a member of."""
        return self.filter(project__memberships__user=user)

    def to_ring(self) -> Self:
        """Queued rows that nobody was told about lately: those never told first, oldest first."""
        return self.filter(
            Q(published_at__isnull=True) | Q(published_at__lt=in_seconds(-settings.RING_AGAIN_SECONDS)),
            Q(not_before__isnull=True) | Q(not_before__lte=Now()),
            state=State.QUEUED,
        ).order_by(F("published_at").asc(nulls_first=True), "pk")

    def called(self) -> Self:
        """Queued rows that workers have been told of and could begin."""
        return self.filter(state=State.QUEUED, published_at__isnull=False)

    def unrenewed(self) -> Self:
        """Running rows whose worker has not renewed the lease in time."""
        return self.filter(state=State.RUNNING, lease_until__lt=Now())


class Job(models.Model):
    """A piece of work with a beginning and an end; subclasses say what the work is.

    QUEUED -> RUNNING -> SUCCEEDED | FAILED | CANCELLED      (RUNNING -> QUEUED: put back)

    A claim counts an attempt and hands out a fence (owner, attempt); every later move must show it. Moves are
    single UPDATEs filtered by what the stored row must still be; they return whether the row moved.
    """

    kind: ClassVar[str]  # the word in URLs and messages
    task: ClassVar[str]  # the Celery task that does it
    in_vain: ClassVar[str] = "system:lost"  # the failure code when nobody ever took it

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    stage = models.CharField(max_length=40, blank=True)
    stage_done = models.PositiveIntegerField(default=0)
    stage_total = models.PositiveIntegerField(default=0)
    failure = models.CharField(max_length=40, blank=True)
    detail = models.TextField(blank=True)
    log = models.TextField(blank=True)
    owner = models.CharField(max_length=120, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, editable=False)
    published_at = models.DateTimeField(null=True, editable=False)
    not_before = models.DateTimeField(null=True, editable=False)
    cancel_requested = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    objects = JobQuerySet.as_manager()

    class Meta:
        abstract = True
        indexes = [
            # the dispatcher's questions: what is queued, what is no longer renewed
            models.Index(fields=["state", "published_at"], name="%(class)s_to_ring"),
            models.Index(fields=["state", "lease_until"], name="%(class)s_unrenewed"),
            # the jobs page: newest of my projects
            models.Index(fields=["project", "-created_at"], name="%(class)s_of_project"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def queue(self) -> str:
        """The Celery queue whose workers can do this job."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """What this job does, for people."""
        raise NotImplementedError

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def fence(self) -> Fence:
        return Fence(self.owner, self.attempt)

    @property
    def why(self) -> Failure | None:
        """The failure with its title and advice, for a job that failed or was cancelled."""
        return failure(self.failure) if self.failure else None

    @classmethod
    def longest_seconds(cls) -> float:
        """After so long a worker that is still at it hangs: its lease is renewed no more, and the job taken back."""
        return float(settings.TOOLKIT_SECONDS) + STORING_SECONDS

    @classmethod
    def most_at_once(cls) -> int:
        """How many of these jobs are worth telling the workers about in one round."""
        return 200

    @classmethod
    def to_tell(cls) -> JobQuerySet:
        """The jobs that the dispatcher tells workers about, now that it looks."""
        rows: JobQuerySet = cls._default_manager.to_ring()
        return rows

    # Moves

    def claim(self, owner: str) -> bool:
        """Take a queued job; at most one caller is ever told True for one queueing."""
        return self._move(
            Q(state=State.QUEUED, attempt__lt=settings.MAX_ATTEMPTS) & self._may_start(),
            state=State.RUNNING,
            owner=owner,
            attempt=F("attempt") + 1,
            lease_until=in_seconds(settings.LEASE_SECONDS),
            started_at=Now(),
            stage="",
            stage_done=0,
            stage_total=0,
        )

    def renew(self, fence: Fence) -> bool:
        """Keep the lease. False: the job is somebody else's by now, or cancelled: stop and write nothing."""
        return self._move(
            self._held_by(fence) & Q(cancel_requested=False), lease_until=in_seconds(settings.LEASE_SECONDS)
        )

    def reached(self, fence: Fence, stage: str, done: int = 0, total: int = 0) -> bool:
        """Note progress for the page."""
        return self._move(
            self._held_by(fence), stage=stage[:40], stage_done=max(done, 0), stage_total=max(total, 0)
        )

    def add_to_log(self, fence: Fence, text: str) -> bool:
        """Append to the log, of which the last 200,000 characters are kept."""
        return self._move(
            self._held_by(fence), log=Right(Concat(F("log"), models.Value(text)), LOG_CHARACTERS)
        )

    def succeed(self, fence: Fence) -> bool:
        return self._end(fence, State.SUCCEEDED, detail="")

    def fail(self, fence: Fence, code: str, detail: str = "") -> bool:
        return self._end(fence, State.FAILED, failure=code, detail=detail[:4000])

    def put_back(self, fence: Fence, detail: str = "", delay: float = 0, refund: bool = False) -> bool:
        """Queue a running job again unless its attempts are used up; `refund` when it never really began."""
        used = Q() if refund else Q(attempt__lt=settings.MAX_ATTEMPTS)
        fields: dict[str, Any] = {"attempt": F("attempt") - 1} if refund else {}
        with transaction.atomic():
            moved = self._move(
                self._held_by(fence) & used & Q(cancel_requested=False),
                state=State.QUEUED,
                owner="",
                lease_until=None,
                published_at=None,
                not_before=in_seconds(delay) if delay else None,
                detail=detail[:4000],
                **fields,
            )
            if moved:
                self.released()
        return moved

    def cancel(self) -> bool:
        """End a queued job, or ask a running one to stop (its worker sees it at the next heartbeat)."""
        queued, running = Q(state=State.QUEUED), Q(state=State.RUNNING)
        with transaction.atomic():
            # the row may change hands between two updates: look at most a few times
            for _ in range(3):
                if self._move(queued, state=State.CANCELLED, failure="job:cancelled", ended_at=Now()):
                    return True
                if self._move(running, cancel_requested=True):
                    return True
        return False

    def end_cancelled(self, fence: Fence) -> bool:
        """The worker's last word on a job that somebody cancelled while it ran."""
        return self._end(fence, State.CANCELLED, failure="job:cancelled")

    def refuse(self, code: str, detail: str = "") -> bool:
        """End a job that cannot even start (something it needs failed first)."""
        return self._move(
            Q(state=State.QUEUED), state=State.FAILED, failure=code, detail=detail[:4000], ended_at=Now()
        )

    def released(self) -> None:
        """What else is given back whenever the job stops running (a board, for a run)."""

    # Parts

    def _may_start(self) -> Q:
        return Q()

    def _held_by(self, fence: Fence) -> Q:
        return Q(state=State.RUNNING, owner=fence.owner, attempt=fence.attempt)

    def _end(self, fence: Fence, state: State, **fields: Any) -> bool:
        with transaction.atomic():
            moved = self._move(self._held_by(fence), state=state, ended_at=Now(), lease_until=None, **fields)
            if moved:
                self.released()
        return moved

    def _move(self, still: Q, **fields: Any) -> bool:
        """One UPDATE of this row if it is `still` so; say whether it moved, and read the row again."""
        moved = bool(type(self).objects.filter(still, pk=self.pk).update(**fields))
        if moved and "log" not in fields:
            self.refresh_from_db(fields=[name for name in FRESH if name != "log"])
        return moved


FRESH = [
    "state",
    "stage",
    "stage_done",
    "stage_total",
    "failure",
    "detail",
    "owner",
    "attempt",
    "lease_until",
    "published_at",
    "not_before",
    "cancel_requested",
    "started_at",
    "ended_at",
]


def kinds() -> Iterable[type[Job]]:
    """Every kind of job, in the order in which the dispatcher serves them."""
    return sorted(_concrete(), key=lambda kind: kind.kind)


def kind_named(word: str) -> type[Job] | None:
    """The job class whose URL word is `word`."""
    return next((kind for kind in kinds() if kind.kind == word), None)


def _concrete() -> list[type[Job]]:
    return [kind for kind in Job.__subclasses__() if not kind._meta.abstract]


class Heartbeat(models.Model):
    """A process that lives: which worker serves which queues and offers what (conversions/offered.py), which dispatcher
    runs. For readiness and for what may be asked for, not for jobs.
    """

    name = models.CharField(max_length=120, unique=True)
    role = models.CharField(max_length=20)
    queues = models.JSONField(default=list)
    offers = models.JSONField(default=dict)
    since = models.DateTimeField(db_default=Now())
    at = models.DateTimeField(default=Now)

    class Meta:
        indexes = [models.Index(fields=["role", "at"], name="heartbeat_alive")]

    def __str__(self) -> str:
        return f"{self.role} {self.name}"
