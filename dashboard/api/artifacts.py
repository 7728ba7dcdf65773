"""`/api/v1/artifacts/`: what conversions made, and the files."""

from typing import Any

from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.histograms import HistogramSerializer
from dashboard.api.reading import Reading
from dashboard.conversions.models import Artifact, Histogram
from dashboard.conversions.proposal import ProposedLayer
from dashboard.downloads import download


class ProposedLayerSerializer(serializers.Serializer[ProposedLayer]):
    """A layer that should have more bits; `figure` is the number that the toolkit gave with it."""

    name = serializers.CharField()
    dtype = serializers.CharField()
    figure = serializers.FloatField(allow_null=True)


class ArtifactSerializer(serializers.ModelSerializer[Artifact]):
    """A deployable file; `framework` and `quantized` are the dumps of its float and its quantized graph.

    `framework_by` tells what was executed for `framework`: the uploaded graph, PyTorch's export of it, what the
    toolkit's own front end read, or the toolkit's own float graph. `converted` is the dump of that last one where
    `framework` is another; `proposal` is what it proposed for `hybrid`, when the recipe said `propose`; `compiled` sums
    up what the toolkit told of its graph: rules that fired, compiled operators. Histograms have an address of their
    own. Of a ready file (toolkit `ready`, run only) `converted` and `quantized` are null, and without an ONNX file
    beside it `framework` too, with an empty `framework_by`.
    """

    proposal = ProposedLayerSerializer(many=True, read_only=True)

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
            "build_facts_sha256",
            "proposal",
            "framework",
            "framework_by",
            "compiled",
            "converted",
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

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, filter_backends=[], url_path="build-facts")
    def build_facts(self, request: Request, pk: int) -> HttpResponseBase:
        """What the toolkit told of its build, as JSON: graph rewrites, the compiler's layers, its accuracy table."""
        artifact = self.get_object()
        if not artifact.build_facts_sha256:
            raise NotFound("This toolkit tells nothing of its build.")
        return download(artifact.build_facts_sha256, f"artifact-{artifact.pk}-build.json")

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, filter_backends=[], url_path="calibration-table")
    def calibration_table(self, request: Request, pk: int) -> HttpResponseBase:
        """How each tensor is quantized, as JSON: range, scale and zero point by the tensor's name."""
        artifact = self.get_object()
        if not artifact.calibration_table_sha256:
            raise NotFound("A ready file was calibrated elsewhere: nothing is known of its ranges.")
        return download(artifact.calibration_table_sha256, f"artifact-{artifact.pk}-calibration.json")

    @extend_schema(responses=HistogramSerializer(many=True))
    @action(detail=True, filter_backends=[], serializer_class=HistogramSerializer)
    def histograms(self, request: Request, pk: int) -> Response:
        """What the toolkit drew of each layer, in execution order, when the recipe said `histograms`."""
        page: Any = self.paginate_queryset(self.get_object().histograms.all())
        return self.get_paginated_response(HistogramSerializer(page, many=True).data)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, filter_backends=[], url_path="histograms/<int:position>/file")
    def histogram_file(self, request: Request, pk: int, position: int) -> HttpResponseBase:
        """One histogram as a PNG file."""
        artifact = self.get_object()
        histogram: Histogram = get_object_or_404(artifact.histograms, position=position)
        return download(histogram.sha256, f"artifact-{artifact.pk}-histogram-{position}.png")
