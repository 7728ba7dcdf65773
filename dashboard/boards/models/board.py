"""A board: what it is, what it may do, who has it to themselves, which run holds it."""

from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Q, When
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from dashboard.jobs.models import in_seconds
from dashboard.projects.models import Project

if TYPE_CHECKING:
    from dashboard.boards.models.run import Run


SIMULATION = "sim"  # the kind of NPU that is none


class BoardState(models.TextChoices):
    """What a board may do. Whether it is busy is told by the run that holds it."""

    READY = "ready"
    PAUSED = "paused"
    DRAINING = "draining"  # ends what it runs, then pauses
    OFFLINE = "offline"
    UNHEALTHY = "unhealthy"


class AgentKind(models.TextChoices):
    """Which of the two agents serves the board: the one in Python, or the one in C for boards without Python."""

    PYTHON = "python"
    C = "c"


class BoardQuerySet(models.QuerySet["Board"]):
    def visible_to(self, user: Any) -> Self:
        """Boards that a project of `user` may use."""
        return self.filter(projects__memberships__user=user).distinct()

    def free(self) -> Self:
        return self.filter(state=BoardState.READY, run__isnull=True, held_by="")

    def idle(self) -> Self:
        """Boards that could begin something now: the free ones, and sick ones, on which health runs may go."""
        return self.filter(state__in=[BoardState.READY, BoardState.UNHEALTHY], run__isnull=True, held_by="")

    def idle_for(self, seconds: float) -> Self:
        """Of the idle boards, those that nothing has held for so long."""
        long_ago = Q(free_at__isnull=True) | Q(free_at__lte=in_seconds(-seconds))
        return self.idle().filter(long_ago) if seconds else self.idle()

    def open_to(self, run: "Run") -> Self:
        """Boards that take this run now, as far as state and reservation say."""
        unreserved = (
            Q(reserved_by__isnull=True) | Q(reserved_until__isnull=True) | Q(reserved_until__lte=Now())
        )
        open_now = unreserved
        if run.created_by_id:
            open_now |= Q(reserved_by=run.created_by_id)
        taking = Q(state=BoardState.READY) & open_now
        if run.is_twin and run.wanted_board_id:
            taking |= Q(pk=run.wanted_board_id, state=BoardState.UNHEALTHY) & unreserved
        if run.is_health and run.wanted_board_id:
            calm = Q(state=BoardState.READY) & (Q(undisturbed=False) | open_now)
            taking = Q(pk=run.wanted_board_id) & (Q(state=BoardState.UNHEALTHY) | calm)
        return self.filter(taking, run__isnull=True, held_by="")

    def executing(self, for_simulation: bool) -> Self:
        """Those that execute artifacts for simulated boards, or those that execute all others."""
        return self.filter(npu=SIMULATION) if for_simulation else self.exclude(npu=SIMULATION)

    def update(self, **fields: Any) -> int:
        """A state that becomes another also notes since when, whoever changes it."""
        if "state" in fields:
            same = When(state=fields["state"], then=F("state_since"))
            fields["state_since"] = Case(same, default=Now())
        return super().update(**fields)


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
    labels = models.JSONField(default=list)  # what else a run may ask for: "camera", "512mb"
    runtime_version = models.CharField(max_length=80, blank=True)  # of the NPU's library, as the board told
    agent = models.CharField(max_length=10, choices=AgentKind, default=AgentKind.PYTHON)
    fix_clocks = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=BoardState, default=BoardState.READY)
    reason = models.CharField(max_length=300, blank=True)
    state_since = models.DateTimeField(default=timezone.now, editable=False)
    failures_in_a_row = models.PositiveIntegerField(default=0)
    fence = models.PositiveBigIntegerField(default=0)
    run = models.OneToOneField(
        "boards.Run", null=True, blank=True, on_delete=models.SET_NULL, related_name="holds"
    )
    held_by = models.CharField(max_length=40, blank=True)  # what else than a run has it to itself: "probe 12"
    fingerprint = models.JSONField(default=dict)
    seen_at = models.DateTimeField(null=True)
    free_at = models.DateTimeField(null=True)  # since when no run holds it, in the database's time
    reserved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    reserved_until = models.DateTimeField(null=True, blank=True)  # past: the board is nobody's any more
    undisturbed = models.BooleanField(default=False)  # health runs, too, wait for the reservation's end
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
    def is_simulation(self) -> bool:
        """Does it execute what the reference toolkit makes (Artifact.is_for_simulation), and nothing else?"""
        return self.npu == SIMULATION

    @property
    def is_reserved(self) -> bool:
        """Does somebody have the board for themselves now?"""
        until = self.reserved_until
        return self.reserved_by_id is not None and until is not None and until > timezone.now()

    @property
    def shown_state(self) -> str:
        """The state for people: busy while a run or a probe holds it."""
        return "busy" if self.run_id or self.held_by else self.state
