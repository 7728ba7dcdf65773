"""Dumps, the comparison of two of them, and one score row per aligned pair of layers."""

from django.db import models
from django.urls import reverse

from dashboard.jobs.models import Job
from dashboard.projects.models import Project, ProjectOwnedQuerySet


class Rung(models.TextChoices):
    """Who computed a dump: the steps of the ladder (see ARCHITECTURE.md)."""

    FRAMEWORK = "framework"
    CONVERTED = "converted"
    QUANTIZED = "quantized"
    QUANTIZED_ISOLATED = "quantized-isolated"
    BOARD_ISOLATED = "board-isolated"
    BOARD = "board"
    BOARD_PLAIN = "board-plain"


class ScoreQuerySet(ProjectOwnedQuerySet):
    project_path = "comparison__project"


class Dump(models.Model):
    """The tensors of every layer from one execution of one graph on one sample; the numbers lie in the file."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="dumps")
    rung = models.CharField(max_length=20, choices=Rung)
    simulated = models.BooleanField(default=False)
    imported = models.BooleanField(default=False)  # made with the vendor's own tools, and uploaded
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.PositiveBigIntegerField()
    layers = models.JSONField(default=list)  # the file's own list, without the numbers
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectOwnedQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.rung} dump {self.pk}"

    @property
    def label(self) -> str:
        """The rung's name as pages show it; what a simulated board made says so, and what was imported."""
        words = [word for word in ("simulated", "imported") if getattr(self, word)]
        return f"{self.rung} ({', '.join(words)})" if words else self.rung


class Comparison(Job):
    """Compares two dumps, whoever made them. `summary` says it in a few numbers, `unmatched` what has no partner."""

    kind = "comparison"
    task = "workers.compare"

    reference = models.ForeignKey(Dump, on_delete=models.CASCADE, related_name="+")
    candidate = models.ForeignKey(Dump, on_delete=models.CASCADE, related_name="+")
    summary = models.JSONField(default=dict)
    unmatched = models.JSONField(default=dict)

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["reference", "candidate"],
                condition=models.Q(state__in=["queued", "running", "succeeded"]),
                name="one_comparison_of_two_dumps",
            )
        ]

    @property
    def queue(self) -> str:
        return "compare"

    @property
    def title(self) -> str:
        return f"Compare {self.reference.label} with {self.candidate.label}"

    def get_absolute_url(self) -> str:
        return reverse("comparison", args=[self.pk])


class LayerScore(models.Model):
    """How far one layer of the candidate is from its partner in the reference; see similarity/metrics.py.

    A number that is not finite is stored as null; `flags` says which it was ("sqnr_db": "exact", ...).
    """

    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="scores")
    position = models.PositiveIntegerField()
    reference_key = models.CharField(max_length=300)
    candidate_key = models.CharField(max_length=300)
    name = models.CharField(max_length=300)
    op = models.CharField(max_length=60, blank=True)
    shape = models.JSONField(default=list)
    cosine = models.FloatField(null=True)
    euclidean = models.FloatField(null=True)
    euclidean_norm = models.FloatField(null=True)
    relative_l2 = models.FloatField(null=True)
    sqnr_db = models.FloatField(null=True)
    gain = models.FloatField(null=True)
    max_abs = models.FloatField(null=True)
    mean_abs = models.FloatField(null=True)
    lsb_max = models.FloatField(null=True)
    lsb_p999 = models.FloatField(null=True)
    saturated = models.FloatField(null=True)
    order_free = models.FloatField(null=True)
    nonfinite_reference = models.PositiveBigIntegerField(default=0)
    nonfinite_candidate = models.PositiveBigIntegerField(default=0)
    flags = models.JSONField(default=dict)
    input_rank = models.PositiveIntegerField(default=0)  # the most dimensions among the layer's inputs
    rearrangement = models.CharField(max_length=300, blank=True)  # a sentence
    rearrangement_name = models.CharField(max_length=80, blank=True)
    rearrangement_cosine = models.FloatField(null=True)
    note = models.CharField(max_length=300, blank=True)

    objects = ScoreQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["comparison", "position"], name="score_once")]
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.name}: {self.cosine}"
