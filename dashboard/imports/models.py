"""Imports: what somebody made with the vendor's own tools, and what of it became dumps, scores and tables."""

from typing import Any

from django.db import models
from django.urls import reverse

from dashboard.jobs.models import Job, State
from dashboard.layers.models import Dump, Rung
from dashboard.projects.models import ProjectOwnedQuerySet


class ImportedRowQuerySet(ProjectOwnedQuerySet):
    project_path = "imported__project"


class Import(Job):
    """Reads an upload of vendor output in a limited process and keeps what is in it.

    `parts` says what was recognised ({"where", "what"}), `ignored` what was not ({"count", "names"}). `reference` is a
    dump of the project that the upload's layers are compared with, and that names a runtime's layer files.
    """

    kind = "import"
    task = "workers.import"

    name = models.CharField(max_length=120)
    filename = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.PositiveBigIntegerField()
    reference = models.ForeignKey(Dump, null=True, on_delete=models.SET_NULL, related_name="+")
    parts = models.JSONField(default=list)
    ignored = models.JSONField(default=dict)

    @property
    def queue(self) -> str:
        return "inspect"

    @property
    def title(self) -> str:
        return f"Import {self.name}"

    @property
    def is_good(self) -> bool:
        return self.state == State.SUCCEEDED

    def get_absolute_url(self) -> str:
        return reverse("import", args=[self.pk])


class ImportedDump(models.Model):
    """A dump that an import brought; `origin` is the folder of the upload that it was made of."""

    imported = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="dumps")
    dump = models.OneToOneField(Dump, on_delete=models.CASCADE, related_name="origin_import")
    origin = models.CharField(max_length=200, blank=True)

    objects = ImportedRowQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.dump} of {self.imported}"


class Scope(models.TextChoices):
    """What a vendor's figure is about: the whole quantized chain, a layer alone, a layer alone on the board."""

    ENTIRE = "entire", "entire: errors add up from layer to layer"
    SINGLE = "single", "single: each layer alone, on float inputs"
    NPU = "npu", "single, on the board"


RUNG_OF = {
    Scope.ENTIRE: Rung.QUANTIZED,
    Scope.SINGLE: Rung.QUANTIZED_ISOLATED,
    Scope.NPU: Rung.BOARD_ISOLATED,
}


class ImportedScore(models.Model):
    """One layer of a vendor's accuracy table; a number is null where the vendor printed none, or none that is finite.

    `printed` holds the vendor's own text of each number. `key` is the layer's in the imported dumps, "" without them.
    """

    imported = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="scores")
    scope = models.CharField(max_length=8, choices=Scope)
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=300)
    key = models.CharField(max_length=300, blank=True)
    op = models.CharField(max_length=60, blank=True)
    dtype = models.CharField(max_length=20, blank=True)
    shape = models.JSONField(default=list)
    cosine = models.FloatField(null=True)
    euclidean = models.FloatField(null=True)
    euclidean_norm = models.FloatField(null=True)
    printed = models.JSONField(default=dict)

    objects = ImportedRowQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["imported", "scope", "position"], name="imported_score_once")
        ]
        ordering = ["scope", "position"]

    def __str__(self) -> str:
        return f"{self.name}: {self.printed.get('cosine', 'fused away')}"


class TableKind(models.TextChoices):
    TIMES = "times"
    COMPILED = "compiled"
    QUANTIZATION = "quantization"


class ImportedTable(models.Model):
    """A table that an import brought: times of layers, the compiler's layers, or how tensors are quantized."""

    imported = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="tables")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=TableKind)
    label = models.CharField(max_length=80)
    origin = models.CharField(max_length=200)
    rows = models.JSONField(default=list)
    facts = models.JSONField(default=dict)

    objects = ImportedRowQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["imported", "position"], name="imported_table_once")]
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.label}: {self.origin}"

    @property
    def total_us(self) -> Any:
        """The sum of the rows' times, or what the table states where it has no rows."""
        return sum(row["time_us"] for row in self.rows) if self.rows else self.facts.get("total_us")
