"""Recipes, the conversion of a source by one, and the artifact that comes out."""

from django.db import models
from django.urls import reverse

from dashboard.conversions.histograms import Shows
from dashboard.conversions.offers import NEEDS, REFERENCE, queue_of
from dashboard.conversions.proposal import ProposedLayer, read_proposal
from dashboard.conversions.recipe import RecipeSettings
from dashboard.jobs.models import Job, JobQuerySet
from dashboard.layers.models import Dump
from dashboard.projects.models import Project, ProjectOwnedQuerySet
from dashboard.registry.models import InputSet, Source


class ArtifactQuerySet(ProjectOwnedQuerySet):
    project_path = "conversion__project"


class HistogramQuerySet(ProjectOwnedQuerySet):
    project_path = "artifact__conversion__project"


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
        if s.is_run_only:
            return f"{s.toolkit} file for {s.platform}, run only"
        toolkit = f"{s.toolkit} {s.toolkit_version}".rstrip()
        return f"{toolkit} {s.platform} {s.dtype} {s.algorithm}"

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

    @classmethod
    def to_tell(cls) -> JobQuerySet:
        """With what `queue` looks at."""
        rows = super().to_tell().select_related("recipe", "source__inspection")
        return rows.defer("source__inspection__log")

    @property
    def queue(self) -> str:
        settings = self.recipe.settings
        source = self.source.format if settings["toolkit"] in NEEDS else None
        return queue_of(settings["toolkit"], settings.get("toolkit_version", ""), source or "")

    @property
    def title(self) -> str:
        return f"Convert {self.source}"

    def get_absolute_url(self) -> str:
        return reverse("job", args=[self.kind, self.pk])


class FrameworkBy(models.TextChoices):
    """What the float dump shows: whose reading of the source was executed."""

    SOURCE = "source", "the uploaded ONNX graph"
    TORCH = "torch", "what PyTorch exported of the TorchScript file"
    ROUTE = "route", "the ONNX file of another route of the version, beside a ready file"
    FRONT_END = "front-end", "what the toolkit's own front end read, since nothing here can run the source"
    TOOLKIT = "toolkit", "the toolkit's own float graph, since nothing here can run the source"


class Artifact(models.Model):
    """What a conversion made: the deployable file, the prepared sample, both dumps and the calibration table.

    A ready file (toolkit `ready`) is its own artifact, run only: there is nothing but the file, the sample and, where
    the version has an ONNX file as another route, the dump of that float network.
    """

    conversion = models.OneToOneField(Conversion, on_delete=models.CASCADE, related_name="artifact")
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.PositiveBigIntegerField()
    inputs_sha256 = models.CharField(max_length=64)
    framework = models.ForeignKey(Dump, null=True, on_delete=models.PROTECT, related_name="+")
    converted = models.ForeignKey(Dump, null=True, on_delete=models.PROTECT, related_name="+")
    quantized = models.ForeignKey(Dump, null=True, on_delete=models.PROTECT, related_name="+")
    calibration_table_sha256 = models.CharField(max_length=64, blank=True)
    build_facts_sha256 = models.CharField(
        max_length=64, blank=True
    )  # rewrites, layer table, the vendor's accuracy
    proposal = models.JSONField(default=list)  # layers that should have more bits, when the recipe asked
    framework_by = models.CharField(
        max_length=10, choices=FrameworkBy, default=FrameworkBy.SOURCE, blank=True
    )  # empty: there is no float dump
    compiled = models.JSONField(default=dict, blank=True)  # see compiled.py
    toolkit_version = models.CharField(max_length=80)
    platform = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ArtifactQuerySet.as_manager()

    def __str__(self) -> str:
        return f"artifact of {self.conversion.source}"

    @property
    def is_run_only(self) -> bool:
        """Was it built elsewhere, so that nothing is known of the way from the network to it?"""
        return self.quantized_id is None

    @property
    def is_for_simulation(self) -> bool:
        """Is it what the reference toolkit makes? Simulated boards execute that and nothing else, NPUs anything but."""
        return bool(self.conversion.recipe.settings["toolkit"] == REFERENCE)

    @property
    def reference(self) -> Dump | None:
        """What a run's layers are held against: the quantized graph; of a ready file the float network, if any."""
        return self.quantized or self.framework

    @property
    def proposed_layers(self) -> tuple[ProposedLayer, ...]:
        return read_proposal(self.proposal)


class Histogram(models.Model):
    """A picture that the toolkit drew of a layer's weights, bias or output, when the recipe asked for histograms.

    `layer_key` is the layer's in the artifact's dumps, empty when none of their layers has this name.
    """

    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="histograms")
    position = models.PositiveIntegerField()  # in execution order of the layers, weights first
    layer_key = models.CharField(max_length=300, blank=True)
    layer_name = models.CharField(max_length=300)
    shows = models.CharField(max_length=6, choices=Shows)
    port = models.PositiveIntegerField(default=0)  # of an output
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()

    objects = HistogramQuerySet.as_manager()

    class Meta:
        ordering = ["artifact", "position"]
        constraints = [
            models.UniqueConstraint(fields=["artifact", "position"], name="histogram_once_in_artifact")
        ]

    def __str__(self) -> str:
        return f"{self.what} of {self.layer_name}"

    @property
    def what(self) -> str:
        """What it shows, in words."""
        return f"output {self.port}" if self.shows == Shows.OUT else str(self.get_shows_display())
