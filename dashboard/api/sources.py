"""`/api/v1/sources/`: a version's files, with what the inspection found in them."""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request

from dashboard.api.joblinks import JobLinkSerializer
from dashboard.api.reading import Reading
from dashboard.downloads import download
from dashboard.registry.formats import Format
from dashboard.registry.models import Source, reported


class SourceSerializer(serializers.ModelSerializer[Source]):
    """A file of a version and its inspection; `report` is empty and `format` null until it has ended well."""

    inspection = JobLinkSerializer(read_only=True)
    format = serializers.ChoiceField(choices=Format.choices, read_only=True, allow_null=True)
    report = serializers.SerializerMethodField()

    class Meta:
        model = Source
        fields = ["id", "version", "route", "filename", "sha256", "size", "format", "inspection", "report"]

    def get_report(self, source: Source) -> dict[str, Any]:
        return reported(source)


class Sources(Reading[Source]):
    """Files of versions: routes to the same network."""

    queryset = Source.objects.select_related("inspection").defer("inspection__log")
    serializer_class = SourceSerializer
    project_path = "version__model__project"
    narrowing = {"version": ("version", int), "model": ("version__model", int), "route": ("route", str)}

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, filter_backends=[])
    def file(self, request: Request, pk: int) -> HttpResponseBase:
        """The file as it was uploaded."""
        source = self.get_object()
        return download(source.sha256, source.filename)
