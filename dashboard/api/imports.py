"""`/api/v1/imports/`: what somebody made with the vendor's own tools, as dumps, scores and tables."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.jobs import JobSerializer
from dashboard.api.reach import found, must_change
from dashboard.api.reading import Reading
from dashboard.api.uploads import check_length, upload_of
from dashboard.downloads import download
from dashboard.imports.models import Import, ImportedDump, ImportedScore, ImportedTable, Scope
from dashboard.imports.services import comparisons_of, request_import
from dashboard.layers.models import Dump
from dashboard.projects.models import Project


class ImportPartSerializer(serializers.Serializer[Any]):
    """Something that was recognised: where in the upload, and what it is."""

    where = serializers.CharField()
    what = serializers.CharField()


class ImportedDumpSerializer(serializers.Serializer[Any]):
    """A dump that the import brought, and the folder of the upload that it was made of."""

    dump = serializers.IntegerField(source="dump_id")
    rung = serializers.CharField(source="dump.rung")
    origin = serializers.CharField()


class ImportSerializer(JobSerializer):
    """An import; what it holds is known when it has ended well."""

    name = serializers.CharField()
    filename = serializers.CharField()
    sha256 = serializers.CharField()
    size = serializers.IntegerField()
    reference = serializers.IntegerField(source="reference_id", allow_null=True)
    parts = ImportPartSerializer(many=True)
    ignored = serializers.DictField()
    dumps = ImportedDumpSerializer(many=True)


class ImportWithComparisonsSerializer(ImportSerializer):
    """An import with the comparisons of its dumps."""

    comparisons = serializers.SerializerMethodField()

    def get_comparisons(self, imported: Import) -> list[int]:
        return [comparison.pk for comparison in comparisons_of(imported)]


class ImportedScoreSerializer(serializers.ModelSerializer[ImportedScore]):
    """A layer of the vendor's table: its numbers, and in `printed` the vendor's own text of each."""

    shape = serializers.ListField(child=serializers.IntegerField())
    printed = serializers.DictField(child=serializers.CharField())

    class Meta:
        model = ImportedScore
        fields = [
            *("scope", "position", "name", "key", "op", "dtype", "shape"),
            *("cosine", "euclidean", "euclidean_norm", "printed"),
        ]


class ImportedTableSerializer(serializers.ModelSerializer[ImportedTable]):
    """Times (microseconds), compiled layers (estimates) or quantization, row by row."""

    rows = serializers.ListField(child=serializers.DictField())
    facts = serializers.DictField()

    class Meta:
        model = ImportedTable
        fields = ["kind", "label", "origin", "rows", "facts"]


class NewImportSerializer(serializers.Serializer[Any]):
    """The form of an upload: an archive, or one text. `reference` is a dump to compare with."""

    project = serializers.IntegerField(min_value=1)
    name = serializers.CharField(max_length=120, default="", allow_blank=True)
    reference = serializers.IntegerField(min_value=1, allow_null=True, default=None)
    file = serializers.FileField(allow_empty_file=True)


SCOPE = OpenApiParameter("scope", OpenApiTypes.STR, enum=Scope.values)


class Imports(Reading[Import]):
    """Uploads of vendor output."""

    queryset = (
        Import.objects.select_related("project")
        .defer("log")
        .prefetch_related(
            Prefetch("dumps", ImportedDump.objects.select_related("dump").defer("dump__layers"))
        )
    )
    serializer_class = ImportSerializer
    detail_serializer_class = ImportWithComparisonsSerializer
    narrowing = {"project": ("project", int), "state": ("state", str), "name": ("name", str)}
    parser_classes = [MultiPartParser]
    takes_files = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        check_length(request, files=1)

    @extend_schema(
        request={"multipart/form-data": NewImportSerializer},
        responses={201: ImportSerializer, 200: OpenApiResponse(ImportSerializer, "This file is known.")},
    )
    def create(self, request: Request) -> Response:
        """Upload vendor output; the same file with the same reference again is the same import (200)."""
        asked = NewImportSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        project = found(Project.objects.all(), request, data["project"], "pk")
        must_change(project, request.user)
        reference = _reference(project, data["reference"])
        upload = upload_of(data["file"], "", "import:empty")
        row, new = request_import(project, data["name"], upload, request.user, reference)
        stored = self.get_queryset().get(pk=row.pk)
        return Response(ImportSerializer(stored).data, 201 if new else status.HTTP_200_OK)

    @extend_schema(responses=ImportedScoreSerializer(many=True), parameters=[SCOPE])
    @action(detail=True, filter_backends=[], serializer_class=ImportedScoreSerializer)
    def scores(self, request: Request, pk: int) -> Response:
        """The vendor's scores, table by table, in the order of execution."""
        rows = self.get_object().scores.order_by("scope", "position")
        scope = request.query_params.get("scope")
        if scope in Scope.values:
            rows = rows.filter(scope=scope)
        elif scope is not None:
            raise ValidationError({"scope": [f"It is one of {', '.join(Scope.values)}."]})
        return self._answer(rows, ImportedScoreSerializer)

    @extend_schema(responses=ImportedTableSerializer(many=True))
    @action(detail=True, filter_backends=[], serializer_class=ImportedTableSerializer)
    def tables(self, request: Request, pk: int) -> Response:
        """Tables of times, of compiled layers and of quantization."""
        return self._answer(self.get_object().tables.order_by("position"), ImportedTableSerializer)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, filter_backends=[])
    def file(self, request: Request, pk: int) -> HttpResponseBase:
        """The file as it was uploaded."""
        row = self.get_object()
        return download(row.sha256, row.filename)

    def _answer(self, rows: QuerySet[Any], serializer: type[serializers.ModelSerializer[Any]]) -> Response:
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(serializer(page, many=True).data)


def _reference(project: Project, number: int | None) -> Dump | None:
    """The dump of the project with this id. Raises ValidationError."""
    if number is None:
        return None
    dump: Dump | None = Dump.objects.in_project(project).filter(pk=number).first()
    if dump is None:
        raise ValidationError({"reference": [f"The project has no dump with the id {number}."]})
    return dump
