"""`/api/v1/input-sets/`: calibration and evaluation samples."""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.joblinks import JobLinkSerializer
from dashboard.api.reach import found, must_change
from dashboard.api.reading import Reading
from dashboard.api.uploads import check_length, upload_of
from dashboard.downloads import download
from dashboard.projects.models import Project
from dashboard.registry.models import InputSet, Layout, Purpose, reported
from dashboard.registry.services import upload_input_set


class InputSetSerializer(serializers.ModelSerializer[InputSet]):
    """Samples and their inspection; `report` is empty until the inspection has ended well."""

    inspection = JobLinkSerializer(read_only=True)
    report = serializers.SerializerMethodField()

    class Meta:
        model = InputSet
        fields = [
            "id",
            "project",
            "name",
            "purpose",
            "layout",
            "filename",
            "sha256",
            "size",
            "created_at",
            "inspection",
            "report",
        ]

    def get_report(self, input_set: InputSet) -> dict[str, Any]:
        return reported(input_set)


class NewInputSetSerializer(serializers.Serializer[Any]):
    """The form of an upload: a picture, .npy, .npz, or a zip of them."""

    project = serializers.IntegerField(min_value=1)
    name = serializers.CharField(max_length=120, default="", allow_blank=True)
    purpose = serializers.ChoiceField(choices=Purpose.choices)
    layout = serializers.ChoiceField(choices=Layout.choices, default="", allow_blank=True)
    file = serializers.FileField(allow_empty_file=True)


class InputSets(Reading[InputSet]):
    """Samples for calibration and evaluation."""

    queryset = InputSet.objects.select_related("inspection").defer("inspection__log")
    serializer_class = InputSetSerializer
    narrowing = {"project": ("project", int), "purpose": ("purpose", str), "name": ("name", str)}
    parser_classes = [MultiPartParser]
    takes_files = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        check_length(request, files=1)

    @extend_schema(
        request={"multipart/form-data": NewInputSetSerializer},
        responses={201: InputSetSerializer, 200: OpenApiResponse(InputSetSerializer, "This file is known.")},
    )
    def create(self, request: Request) -> Response:
        """Upload samples; the same file for the same purpose again is the same input set (200)."""
        asked = NewInputSetSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        project = found(Project.objects.all(), request, data["project"], "pk")
        must_change(project, request.user)
        upload = upload_of(data["file"], "", "data:empty")
        purpose, layout = Purpose(data["purpose"]), Layout(data["layout"])
        row, new = upload_input_set(project, data["name"], upload, purpose, request.user, layout)
        stored = self.get_queryset().get(pk=row.pk)
        return Response(self.get_serializer(stored).data, 201 if new else status.HTTP_200_OK)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, filter_backends=[])
    def file(self, request: Request, pk: int) -> HttpResponseBase:
        """The file as it was uploaded."""
        row = self.get_object()
        return download(row.sha256, row.filename)
