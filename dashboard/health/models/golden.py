"""The golden model of a platform: an artifact whose right outputs are known, per runtime that it was run on."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from dashboard.boards.models import Board, Run
from dashboard.conversions.models import Artifact
from dashboard.conversions.offers import REFERENCE
from dashboard.projects.models import Project, ProjectOwnedQuerySet


class GoldenModelQuerySet(ProjectOwnedQuerySet):
    def in_use(self) -> Self:
        return self.filter(retired_at__isnull=True)

    def for_board(self, board: Board) -> Self:
        """Golden models in use that this board can be checked with; those of its very runtime come first."""
        fits = Q(runtime_version="") | Q(runtime_version=board.runtime_version)
        kind = {"platform": board.platform, "simulated": board.simulated}
        mine = self.in_use().filter(fits, project__boards=board, **kind)
        for_simulation = Q(artifact__conversion__recipe__settings__toolkit=REFERENCE)
        executable = for_simulation if board.is_simulation else ~for_simulation
        return mine.filter(executable).order_by("-runtime_version", "pk")


class GoldenModel(models.Model):
    """What the boards of a platform are checked with, as an admin named it; retired ones keep their history."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="golden_models")
    platform = models.CharField(max_length=40)
    runtime_version = models.CharField(max_length=80, blank=True)  # empty: any
    simulated = models.BooleanField(default=False)  # boards of software are checked among themselves
    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="+")
    iterations = models.PositiveIntegerField(default=20)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)

    objects = GoldenModelQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "platform", "runtime_version", "simulated"],
                condition=Q(retired_at__isnull=True),
                name="one_golden_model_in_use",
            )
        ]

    def __str__(self) -> str:
        word = " (simulated)" if self.simulated else ""
        return f"{self.platform}{word}, {self.runtime_version or 'any runtime'}"

    def get_absolute_url(self) -> str:
        return reverse("golden-model", args=[self.pk])


class GoldenOutputs(models.Model):
    """The right outputs on one stack (runtime, driver, kernel: see stacks.py), and who said so.

    `accepted_by` is null for a stack whose outputs were bit for bit those that were known already.
    """

    golden = models.ForeignKey(GoldenModel, on_delete=models.CASCADE, related_name="outputs")
    stack = models.CharField(max_length=64)
    facts = models.JSONField(default=dict)
    outputs_sha256 = models.CharField(max_length=64)
    median_us = models.FloatField(null=True)
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="+")
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    accepted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["golden", "stack"], name="outputs_once_a_stack")]

    def __str__(self) -> str:
        return f"outputs of {self.golden_id} on {self.stack[:8]}"

    @property
    def shown_facts(self) -> list[tuple[str, Any]]:
        return sorted(self.facts.items())
