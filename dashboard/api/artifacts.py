"""`/api/v1/artifacts/`: what conversions made, and the files."""

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request

from dashboard.api.reading import Reading
from dashboard.conversions.models import Artifact
from dashboard.downloads import download


class ArtifactSerializer(serializers.ModelSerializer[Artifact]):
    """A deployable file; `framework` and `quantized` are the dumps of its float and its quantized graph."""

    class Meta:
        model = Artifact
        fields = [
            "id",
            "conversion",
            "platform",
            "toolkit_version",
            "sha256",
            "size",
            "inputs_sha256",
            "calibration_table_sha256",
            "framework",
            "quantized",
            "created_at",
        ]


class Artifacts(Reading[Artifact]):
    """Deployable files."""

    queryset = Artifact.objects.all()
    serializer_class = ArtifactSerializer
    project_path = "conversion__project"
    narrowing = {
        "project": ("conversion__project", int),
        "conversion": ("conversion", int),
        "version": ("conversion__source__version", int),
    }

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, filter_backends=[])
    def file(self, request: Request, pk: int) -> HttpResponseBase:
        """The file that a board takes."""
        artifact = self.get_object()
        return download(artifact.sha256, f"artifact-{artifact.pk}.bin")
