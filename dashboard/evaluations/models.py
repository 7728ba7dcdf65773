"""What somebody asks for (an evaluation), and its legs: one per source x recipe x board."""

from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse

from dashboard.boards.models import Board, Run
from dashboard.conversions.models import Conversion, Recipe
from dashboard.layers.models import Comparison
from dashboard.projects.models import Project, ProjectOwnedQuerySet
from dashboard.registry.models import InputSet, ModelVersion, Source


class Outcome(models.TextChoices):
    PASS = "pass"
    FAIL = "fail"
    CANNOT_TELL = "cannot tell"


class LegQuerySet(ProjectOwnedQuerySet):
    project_path = "evaluation__project"


class Evaluation(models.Model):
    """A version, a recipe, samples and boards: what the numbers are wanted for."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="evaluations")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="evaluations")
    recipe = models.ForeignKey(Recipe, on_delete=models.PROTECT, related_name="+")
    calibration = models.ForeignKey(InputSet, on_delete=models.PROTECT, related_name="+")
    samples = models.ForeignKey(InputSet, on_delete=models.PROTECT, related_name="+")
    sample = models.PositiveIntegerField(default=0)
    board = models.ForeignKey(Board, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    iterations = models.PositiveIntegerField(default=20)
    priority = models.SmallIntegerField(default=0)  # of its runs in the boards' queue
    labels = models.JSONField(default=list)  # what its board must have
    runtime_version = models.CharField(max_length=80, blank=True)  # of its board; empty: any
    sequence = models.BooleanField(default=False)  # also the sequence check
    idempotency_key = models.CharField(max_length=100, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = ProjectOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "idempotency_key"],
                condition=~models.Q(idempotency_key=""),
                name="evaluation_once_per_key",
            )
        ]
        indexes = [models.Index(fields=["project", "-created_at"], name="evaluation_of_project")]
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"evaluation {self.pk} of {self.version}"

    def get_absolute_url(self) -> str:
        return reverse("evaluation", args=[self.pk])

    @property
    def has_ended(self) -> bool:
        return self.ended_at is not None

    @property
    def outcome(self) -> str | None:
        """The worst of the legs' outcomes, None while any is under way."""
        outcomes = {leg.outcome for leg in self.legs.all()}
        if not self.has_ended or "" in outcomes:
            return None
        return next(
            (one for one in (Outcome.FAIL, Outcome.CANNOT_TELL, Outcome.PASS) if one in outcomes), None
        )


class Leg(models.Model):
    """One source of an evaluation on its way: conversion, run, two or three comparisons, verdict."""

    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="legs")
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="legs")
    conversion = models.ForeignKey(Conversion, null=True, on_delete=models.SET_NULL, related_name="legs")
    run = models.OneToOneField(Run, null=True, on_delete=models.SET_NULL, related_name="leg")
    converted = models.ForeignKey(
        Comparison, null=True, on_delete=models.SET_NULL, related_name="converted_legs"
    )  # the source with the toolkit's own float graph, where the toolkit shows it
    quantization = models.ForeignKey(
        Comparison, null=True, on_delete=models.SET_NULL, related_name="quantization_legs"
    )
    on_board = models.ForeignKey(Comparison, null=True, on_delete=models.SET_NULL, related_name="board_legs")
    outcome = models.CharField(max_length=12, choices=Outcome, blank=True)
    sentence = models.TextField(blank=True)
    step = models.CharField(max_length=20, blank=True)
    first_bad_layer = models.CharField(max_length=300, blank=True)
    reasons = models.JSONField(default=list)
    advice = models.JSONField(default=list)
    ended_at = models.DateTimeField(null=True)

    objects = LegQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["evaluation", "source"], name="leg_once_per_source")]
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.evaluation}: {self.source.route}"

    @property
    def has_ended(self) -> bool:
        return self.ended_at is not None

    @property
    def jobs(self) -> list[Any]:
        """The jobs asked for so far, in the order of the work."""
        steps = (self.conversion, self.converted, self.quantization, self.run, self.on_board)
        return [job for job in steps if job]
