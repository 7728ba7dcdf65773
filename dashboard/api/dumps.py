"""`/api/v1/dumps/`: the tensors of every layer from one execution; the numbers are in the file."""

from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request

from dashboard.api.reading import Reading
from dashboard.downloads import download
from dashboard.layers.models import Dump


class DumpSerializer(serializers.ModelSerializer[Dump]):
    """A dump without its list of layers."""

    class Meta:
        model = Dump
        fields = ["id", "project", "rung", "simulated", "imported", "sha256", "size", "created_at"]


class DumpWithLayersSerializer(DumpSerializer):
    """A dump with what is known of every layer, in execution order."""

    layers = serializers.ListField(child=serializers.DictField(), read_only=True)

    class Meta(DumpSerializer.Meta):
        fields = [*DumpSerializer.Meta.fields, "layers"]


class Dumps(Reading[Dump]):
    """Dumps on every rung of the ladder."""

    queryset = Dump.objects.all()
    serializer_class = DumpSerializer
    detail_serializer_class = DumpWithLayersSerializer
    narrowing = {"project": ("project", int), "rung": ("rung", str)}

    def reached(self, rows: QuerySet[Dump]) -> QuerySet[Dump]:
        return rows.defer("layers") if self.action == "list" else rows

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, filter_backends=[])
    def file(self, request: Request, pk: int) -> HttpResponseBase:
        """The tensor file (dump/1)."""
        dump: Any = self.get_object()
        return download(
            dump.sha256, f"{dump.rung}-dump-{dump.pk}{'-imported' if dump.imported else ''}.safetensors"
        )
