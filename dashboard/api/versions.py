"""`/api/v1/versions/`: uploads of a model, each with one or several sources (routes)."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.reach import found, must_change
from dashboard.api.reading import Reading
from dashboard.api.sources import SourceSerializer
from dashboard.api.uploads import FILES, check_length, upload_of
from dashboard.registry.models import ModelVersion, RegisteredModel
from dashboard.registry.services import Origin, Upload, upload_version

ROUTE_PREFIX = "source."


class VersionSerializer(serializers.ModelSerializer[ModelVersion]):
    """A version with its sources."""

    sources = SourceSerializer(many=True, read_only=True)
    project = serializers.IntegerField(source="model.project_id", read_only=True)
    tags = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = ModelVersion
        fields = [
            "id",
            "project",
            "model",
            "number",
            "commit",
            "training_url",
            "tags",
            "note",
            "created_at",
            "sources",
        ]


class NewVersionSerializer(serializers.Serializer[Any]):
    """The form of an upload. Instead of `sources` and `routes`, a file field `source.<route>` may be sent per route."""

    model = serializers.IntegerField(min_value=1)
    sources = serializers.ListField(
        child=serializers.FileField(allow_empty_file=True), required=False, max_length=FILES
    )
    routes = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, max_length=FILES
    )
    commit = serializers.CharField(max_length=80, default="", allow_blank=True)
    training_url = serializers.URLField(max_length=500, default="", allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), default=list, max_length=20)
    note = serializers.CharField(max_length=10_000, default="", allow_blank=True)

    def validate_training_url(self, url: str) -> str:
        """Only what a browser may follow without running it."""
        if url and not url.lower().startswith(("http://", "https://")):
            raise ValidationError("The link must begin with http:// or https://.")
        return url


class Versions(Reading[ModelVersion]):
    """Versions of models."""

    queryset = (
        ModelVersion.objects.select_related("model").prefetch_related("sources__inspection").order_by("-pk")
    )
    serializer_class = VersionSerializer
    project_path = "model__project"
    narrowing = {
        "project": ("model__project", int),
        "model": ("model", int),
        "number": ("number", int),
        "commit": ("commit", str),
    }
    parser_classes = [MultiPartParser]
    takes_files = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        check_length(request)

    @extend_schema(
        request={"multipart/form-data": NewVersionSerializer},
        responses={201: VersionSerializer, 200: OpenApiResponse(VersionSerializer, "These files are known.")},
    )
    def create(self, request: Request) -> Response:
        """Upload a version; the same files with the same commit again are the same version (200)."""
        asked = NewVersionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        model = found(RegisteredModel.objects.select_related("project"), request, data["model"])
        must_change(model.project, request.user)
        origin = Origin(data["commit"], data["training_url"], tuple(data["tags"]), data["note"])
        version, new = upload_version(model, _uploads(request, data), request.user, origin)
        stored = self.get_queryset().get(pk=version.pk)
        return Response(self.get_serializer(stored).data, 201 if new else status.HTTP_200_OK)


def _uploads(request: Request, data: dict[str, Any]) -> list[Upload]:
    """The files of the form, by either way of naming routes."""
    files, routes = data.get("sources", []), data.get("routes", [])
    if routes and len(routes) != len(files):
        raise ValidationError({"routes": ["Name one route per file of sources, in the same order."]})
    if not routes and len(files) == 1:
        routes = ["main"]
    if len(files) > len(routes):
        raise ValidationError({"routes": ["Several sources need a route name each."]})
    named = list(zip(routes, files, strict=True))
    for key, several in request.FILES.lists():
        if key.startswith(ROUTE_PREFIX):
            named += [(key.removeprefix(ROUTE_PREFIX), file) for file in several]
    if not 0 < len(named) <= FILES:
        raise ValidationError({"sources": [f"A version has 1 to {FILES} files."]})
    return [upload_of(file, route, "model:empty") for route, file in named]
