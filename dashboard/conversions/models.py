"""Recipes, the conversion of a source by one, and the artifact that comes out."""

from django.db import models
from django.urls import reverse

from dashboard.conversions.recipe import RecipeSettings
from dashboard.jobs.models import Job
from dashboard.layers.models import Dump
from dashboard.projects.models import Project, ProjectOwnedQuerySet
from dashboard.registry.models import InputSet, Source


class ArtifactQuerySet(ProjectOwnedQuerySet):
    project_path = "conversion__project"


class Recipe(models.Model):
    """A stored recipe; the hash is its identity inside the project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="recipes")
    sha256 = models.CharField(max_length=64)
    settings = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectOwnedQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "sha256"], name="recipe_once_in_project")]

    def __str__(self) -> str:
        s = self.value
        return f"{s.toolkit} {s.platform} {s.dtype} {s.algorithm}"

    @property
    def value(self) -> RecipeSettings:
        return RecipeSettings.from_dict(self.settings)


class Conversion(Job):
    """Turns a source into an artifact by a recipe, and dumps its float and its quantized graph on one sample."""

    kind = "conversion"
    task = "workers.convert"
    in_vain = "recipe:no-toolkit"

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="conversions")
    recipe = models.ForeignKey(Recipe, on_delete=models.PROTECT, related_name="conversions")
    calibration = models.ForeignKey(InputSet, on_delete=models.PROTECT, related_name="+")
    samples = models.ForeignKey(InputSet, on_delete=models.PROTECT, related_name="+")
    sample = models.PositiveIntegerField(default=0)

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["source", "recipe", "calibration", "samples", "sample"],
                condition=models.Q(state__in=["queued", "running", "succeeded"]),
                name="one_conversion_of_its_inputs",
            )
        ]

    @property
    def queue(self) -> str:
        return f"convert.{self.recipe.settings['toolkit']}"

    @property
    def title(self) -> str:
        return f"Convert {self.source}"

    def get_absolute_url(self) -> str:
        return reverse("job", args=[self.kind, self.pk])


class Artifact(models.Model):
    """What a conversion made: the deployable file, the prepared sample, both dumps and the calibration table."""

    conversion = models.OneToOneField(Conversion, on_delete=models.CASCADE, related_name="artifact")
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.PositiveBigIntegerField()
    inputs_sha256 = models.CharField(max_length=64)
    framework = models.ForeignKey(Dump, on_delete=models.PROTECT, related_name="+")
    quantized = models.ForeignKey(Dump, on_delete=models.PROTECT, related_name="+")
    calibration_table_sha256 = models.CharField(max_length=64, blank=True)
    toolkit_version = models.CharField(max_length=80)
    platform = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ArtifactQuerySet.as_manager()

    def __str__(self) -> str:
        return f"artifact of {self.conversion.source}"
