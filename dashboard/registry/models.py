"""What is uploaded: named models, their versions, a version's sources (routes), and input sets."""

from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse

from dashboard.jobs.models import Job, State
from dashboard.projects.models import Project, ProjectOwnedQuerySet
from dashboard.registry.formats import Format


class ModelVersionQuerySet(ProjectOwnedQuerySet):
    project_path = "model__project"


class SourceQuerySet(ProjectOwnedQuerySet):
    project_path = "version__model__project"


class RegisteredModel(models.Model):
    """A named network of a project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="models")
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=120)
    description = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectOwnedQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "slug"], name="model_slug_in_project")]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("model", args=[self.pk])


class ModelVersion(models.Model):
    """One upload of a model: one or several sources of the same weights, and where they came from."""

    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    commit = models.CharField(max_length=80, blank=True)
    training_url = models.URLField(max_length=500, blank=True)
    tags = models.JSONField(default=list, blank=True)
    note = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "number"], name="version_number_in_model")]
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"{self.model.name} v{self.number}"

    def get_absolute_url(self) -> str:
        return reverse("version", args=[self.pk])

    @property
    def project(self) -> Project:
        return self.model.project


class Source(models.Model):
    """One file of a version: a route to the same network. Formats of two files are stored as a zip of both."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="sources")
    route = models.CharField(max_length=40, default="main")
    filename = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.PositiveBigIntegerField()

    objects = SourceQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "route"], name="route_in_version")]
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.version} {self.route}"

    @property
    def project(self) -> Project:
        return self.version.project

    @property
    def format(self) -> Format | None:
        """What the inspection recognised, None before it has ended well; reports from before formats are of ONNX."""
        report = reported(self)
        return Format(report.get("format", Format.ONNX)) if report else None


class Layout(models.TextChoices):
    """The axis order of an input set's samples; pictures are always NHWC."""

    NCHW = "NCHW"
    NHWC = "NHWC"
    AS_IS = "", "as it is"


class Purpose(models.TextChoices):
    CALIBRATION = "calibration"
    EVALUATION = "evaluation"


class InputSet(models.Model):
    """Calibration or evaluation samples, as uploaded; the inspection adds the canonical samples file."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="input_sets")
    name = models.CharField(max_length=120)
    purpose = models.CharField(max_length=12, choices=Purpose)
    layout = models.CharField(max_length=4, choices=Layout, blank=True, default=Layout.AS_IS)
    filename = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.PositiveBigIntegerField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "sha256", "purpose", "layout"], name="input_set_once_in_project"
            )
        ]
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("input-set", args=[self.pk])

    @property
    def sample_layout(self) -> str:
        """The axis order that the uploader stated, else the one that the inspection found (pictures are NHWC)."""
        return self.layout or str(reported(self).get("layout_guess", ""))


class Inspection(Job):
    """Looks into an uploaded file, in a limited process, and says what is in it (`report`)."""

    kind = "inspection"
    task = "workers.inspect"

    source = models.OneToOneField(Source, null=True, on_delete=models.CASCADE, related_name="inspection")
    input_set = models.OneToOneField(InputSet, null=True, on_delete=models.CASCADE, related_name="inspection")
    report = models.JSONField(default=dict)
    samples_sha256 = models.CharField(max_length=64, blank=True)

    class Meta(Job.Meta):
        constraints = [
            models.CheckConstraint(
                condition=models.Q(source__isnull=False) ^ models.Q(input_set__isnull=False),
                name="inspection_of_one_thing",
            )
        ]

    @property
    def queue(self) -> str:
        return "inspect"

    @property
    def subject(self) -> Source | InputSet:
        subject = self.source or self.input_set
        assert subject is not None
        return subject

    @property
    def title(self) -> str:
        return f"Inspect {self.subject.filename}"

    def get_absolute_url(self) -> str:
        return reverse("job", args=[self.kind, self.pk])

    @property
    def is_good(self) -> bool:
        return self.state == State.SUCCEEDED


def reported(row: Source | InputSet) -> dict[str, Any]:
    """What the inspection found, empty before it has ended well."""
    inspection: Inspection | None = getattr(row, "inspection", None)
    return inspection.report if inspection and inspection.is_good else {}
