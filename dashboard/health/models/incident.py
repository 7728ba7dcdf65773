"""What happened to a board outside the ordinary."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from dashboard.boards.models import Board, Run
from dashboard.jobs.failures import FAILURES


class IncidentKind(models.TextChoices):
    """What kind of thing happened; a failure says by its code what it was."""

    FAILURE = "failure", "A run failed on it"
    REBOOT = "reboot", "It started anew"
    HANG = "hang", "It hung"
    QUARANTINE = "quarantine", "It was quarantined"
    POWER = "power", "Its power was switched"
    HOST_KEY = "host key", "Another host key was pinned"
    FINGERPRINT = "fingerprint", "Its fingerprint changed"
    SLOWER = "slower", "It was slower once"


class IncidentQuerySet(models.QuerySet["Incident"]):
    def visible_to(self, user: Any) -> "IncidentQuerySet":
        """Incidents of the boards that a project of `user` may use."""
        return self.filter(board__projects__memberships__user=user).distinct()

    def still_open(self) -> "IncidentQuerySet":
        return self.filter(ended_at__isnull=True)


class Incident(models.Model):
    """Something that happened to a board: open until a good run, a passing check or a person ends it.

    The same failure again while it is open is counted, not written a second time.
    """

    board = models.ForeignKey(Board, on_delete=models.CASCADE, related_name="incidents")
    kind = models.CharField(max_length=12, choices=IncidentKind)
    code = models.CharField(max_length=40, blank=True)  # of a failure or a quarantine, see jobs/failures.py
    detail = models.TextField(blank=True)
    evidence = models.JSONField(default=dict)
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="incidents")
    times = models.PositiveIntegerField(default=1)
    opened_at = models.DateTimeField(auto_now_add=True)
    last_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=120, blank=True)  # "run 7", "check 3", or who
    ended_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = IncidentQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["board", "-opened_at"], name="incidents_of_board"),
            models.Index(fields=["board", "kind"], condition=Q(ended_at=None), name="open_incidents"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.board_id}"

    def get_absolute_url(self) -> str:
        return f"{reverse('board-incidents', args=[self.board_id])}#incident-{self.pk}"

    @property
    def title(self) -> str:
        """What happened, for people."""
        why = FAILURES.get(self.code)
        if self.kind == IncidentKind.FAILURE and why:
            return why.title
        return str(IncidentKind(self.kind).label)

    @property
    def advice(self) -> str:
        """What to do next, where there is something to do."""
        return FAILURES[self.code].advice if self.code in FAILURES else ""

    @property
    def is_open(self) -> bool:
        return self.ended_at is None
