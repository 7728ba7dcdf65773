"""How a board becomes known: the registration that an admin began, and the probe that looks at a board step by step."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from dashboard.boards import keys
from dashboard.boards.models import Board, Run
from dashboard.jobs.models import ENDED, Fence, Job, JobQuerySet, State, in_seconds
from dashboard.projects.models import Project, Role
from dashboard.registration.steps import FULL, SCAN, Step, StepState

KEPT = timedelta(days=7)  # a registration that nobody confirms is deleted then, with its key


class RegistrationQuerySet(models.QuerySet["Registration"]):
    def visible_to(self, user: Any) -> Self:
        """Registrations begun in projects that `user` is a member of."""
        return self.filter(project__memberships__user=user)

    def administered_by(self, user: Any) -> Self:
        """Those that `user` may look at and go on with."""
        return self.filter(project__memberships__user=user, project__memberships__role=Role.ADMIN)

    def open(self) -> Self:
        """Begun, not confirmed, not expired."""
        return self.filter(confirmed_at=None, created_at__gt=in_seconds(-KEPT.total_seconds()))

    def abandoned(self) -> Self:
        """Nobody confirmed them in time."""
        return self.filter(confirmed_at=None, created_at__lte=in_seconds(-KEPT.total_seconds()))


class Registration(models.Model):
    """A board on its way in: what an admin said of it, its key, and the host key that a worker saw there.

    Begun -> seen (a worker brought the host key) -> confirmed (there is a board, not in service before a probe passes).
    Nothing can run on it before it is confirmed, because there is no board. What is never confirmed expires.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="registrations")
    projects = models.ManyToManyField(Project, related_name="+")  # who shall use the board
    name = models.CharField(max_length=80)
    address = models.CharField(max_length=255)
    port = models.PositiveIntegerField(default=22)
    username = models.CharField(max_length=64)
    site = models.CharField(max_length=40)
    platform = models.CharField(max_length=40)
    npu = models.CharField(max_length=20)
    simulated = models.BooleanField(default=False)
    labels = models.JSONField(default=list)
    work_folder = models.CharField(max_length=255, blank=True)
    private_key = models.TextField(blank=True)  # encrypted, see boards/keys.py; moves on to the board
    public_key = models.TextField()
    host_key = models.TextField(
        blank=True
    )  # what a worker saw last; the board's pinned key once it is confirmed
    board = models.OneToOneField(
        Board, null=True, blank=True, on_delete=models.SET_NULL, related_name="registration"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    confirmed_at = models.DateTimeField(null=True, editable=False)

    objects = RegistrationQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["confirmed_at", "created_at"], name="registration_abandoned")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("registration", args=[self.pk])

    @property
    def label(self) -> str:
        """The name as lists and titles show it; a board of software says so."""
        return f"{self.name} (simulated)" if self.simulated else self.name

    @property
    def expires_at(self) -> datetime:
        return self.created_at + KEPT

    @property
    def host_key_fingerprint(self) -> str:
        """SHA256:... of the host key that was seen; empty until then."""
        return keys.fingerprint(self.host_key) if self.host_key else ""


class ProbeQuerySet(JobQuerySet):
    def to_ring(self) -> Self:
        """Queued probes whose board is not in a run's hands, and is not being restarted."""
        return super().to_ring().filter(self.nobody_holds())

    @staticmethod
    def nobody_holds() -> Q:
        calm = Q(board__run__isnull=True) & ~Q(board__power_cycles__state=State.RUNNING)
        return Q(board__isnull=True) | calm


class Probe(Job):
    """Looks at a board step by step: a registration's address and host key only, a board's everything.

    From its request to its end the board is held by the probe (Board.held_by): no new run begins there, and the
    probe begins when the run that holds the board has ended.
    """

    kind = "probe"
    task = "workers.probe"
    in_vain = "system:no-worker"

    registration = models.ForeignKey(
        Registration, null=True, blank=True, on_delete=models.CASCADE, related_name="probes"
    )
    board = models.ForeignKey(Board, null=True, blank=True, on_delete=models.CASCADE, related_name="probes")
    site = models.CharField(max_length=40)
    steps = models.JSONField(default=list)  # see steps.py
    host_key = models.TextField(blank=True)  # the key that was shown, also when it is not the pinned one
    seen_from = models.CharField(max_length=45, blank=True)  # the worker's address, as the board sees it
    first_run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    objects: ClassVar[Any] = ProbeQuerySet.as_manager()

    class Meta(Job.Meta):
        abstract = False
        constraints = [
            models.CheckConstraint(
                condition=Q(board__isnull=True, registration__isnull=False)
                | Q(board__isnull=False, registration__isnull=True),
                name="probe_has_one_target",
            )
        ]

    @property
    def queue(self) -> str:
        return f"boards.{self.site}"

    @property
    def title(self) -> str:
        if self.registration:
            return f"Host key of {self.registration.label}"
        return f"Probe {self.board.label if self.board else 'a board that is gone'}"

    def get_absolute_url(self) -> str:
        return reverse("probe", args=[self.pk])

    @property
    def plan(self) -> tuple[str, ...]:
        """The names of its steps."""
        return SCAN if self.registration_id else FULL

    @property
    def found(self) -> list[Step]:
        """The steps that were reached, in order."""
        return [Step.from_dict(stored) for stored in self.steps]

    @property
    def shown_steps(self) -> list[Step]:
        """Every step of the plan: what was found, and the others as waiting, or skipped when it has ended.

        What still ran when the probe ended (its worker was lost, somebody cancelled it) failed with it.
        """
        found = {step.name: step for step in self.found}
        for name, step in found.items():
            if self.has_ended and step.state == StepState.RUNNING:
                found[name] = replace(step, state=StepState.FAILED, code=self.failure)
        if self.first_run:
            found["inference"] = _inference(self.first_run)
        rest = StepState.SKIPPED if self.has_ended else StepState.WAITING
        return [found.get(name) or Step(name, rest) for name in self.plan]

    @property
    def is_under_way(self) -> bool:
        """May its page still change? The first inference goes on after the probe."""
        return not self.has_ended or bool(self.first_run and not self.first_run.has_ended)

    @property
    def host_key_fingerprint(self) -> str:
        return keys.fingerprint(self.host_key) if self.host_key else ""

    def note(self, fence: Fence, **found: Any) -> bool:
        """Keep what was found up to now, for the page; False when the probe is somebody else's by now."""
        moved = self._move(self._held_by(fence), **found)
        if moved:
            self.refresh_from_db(fields=list(found))
        return moved

    def _may_start(self) -> Q:
        return ProbeQuerySet.nobody_holds()

    def _move(self, still: Q, **fields: Any) -> bool:
        """As every job's; a probe that ends, whichever way, gives its board back."""
        with transaction.atomic():
            moved = super()._move(still, **fields)
            if moved and fields.get("state") in ENDED:
                Board.objects.filter(held_by=str(self)).update(held_by="", free_at=Now())
        return moved


def _inference(run: Run) -> Step:
    """The first inference as a step: it is an ordinary run."""
    states = {
        State.SUCCEEDED: StepState.OK,
        State.FAILED: StepState.FAILED,
        State.CANCELLED: StepState.SKIPPED,
    }
    state = states.get(State(run.state), StepState.RUNNING)
    return Step("inference", state, f"Run {run.pk} is {run.state}.", run.failure, run.detail)
