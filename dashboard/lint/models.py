"""The graph of a source as its inspection wrote it down, apart from the report that every page loads."""

from django.db import models

from dashboard.projects.models import ProjectOwnedQuerySet
from dashboard.registry.models import Source


class SourceGraphQuerySet(ProjectOwnedQuerySet):
    project_path = "source__version__model__project"


class SourceGraph(models.Model):
    """A source's layers and tensors, without weights; see workers/toolkits/onnxjob/description.py for its form."""

    source = models.OneToOneField(Source, on_delete=models.CASCADE, related_name="graph")
    told = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now=True)

    objects = SourceGraphQuerySet.as_manager()

    def __str__(self) -> str:
        return f"graph of {self.source_id}"
