"""`/api/v1/comparisons/`: two dumps compared, and the scores of every layer as JSON and CSV."""

from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.jobs import JobSerializer
from dashboard.api.reach import found, must_change
from dashboard.api.reading import Reading
from dashboard.api.scores import ScoreSerializer, csv_lines
from dashboard.layers.models import Comparison, Dump
from dashboard.layers.services import is_compared, request_comparison
from dashboard.registry.services import Refused


class ComparisonSerializer(JobSerializer):
    """A comparison; `simulated` tells that one of its dumps comes from a board made of software, `imported` that one
    was made with the vendor's own tools and uploaded."""

    reference = serializers.IntegerField(source="reference_id")
    candidate = serializers.IntegerField(source="candidate_id")
    reference_rung = serializers.CharField(source="reference.rung")
    candidate_rung = serializers.CharField(source="candidate.rung")
    imported = serializers.SerializerMethodField()
    summary = serializers.DictField()
    unmatched = serializers.DictField()

    def get_imported(self, comparison: Comparison) -> bool:
        return comparison.reference.imported or comparison.candidate.imported


class NewComparisonSerializer(serializers.Serializer[Any]):
    """Which two dumps to compare."""

    reference = serializers.IntegerField(min_value=1)
    candidate = serializers.IntegerField(min_value=1)


class Comparisons(Reading[Comparison]):
    """Comparisons of two dumps."""

    queryset = Comparison.objects.select_related("reference", "candidate").defer(
        "log", "reference__layers", "candidate__layers"
    )
    serializer_class = ComparisonSerializer
    narrowing = {
        "project": ("project", int),
        "reference": ("reference", int),
        "candidate": ("candidate", int),
        "state": ("state", str),
    }

    @extend_schema(
        request=NewComparisonSerializer,
        responses={
            201: ComparisonSerializer,
            200: OpenApiResponse(ComparisonSerializer, "It is under way or done already."),
        },
    )
    def create(self, request: Request) -> Response:
        """Ask for the comparison of any two dumps of one project."""
        asked = NewComparisonSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        dumps = Dump.objects.select_related("project").defer("layers")
        reference, candidate = (
            found(dumps, request, asked.validated_data[name]) for name in ("reference", "candidate")
        )
        if reference.project_id != candidate.project_id:
            raise Refused("recipe:invalid", "Both dumps must belong to the same project.")
        must_change(candidate.project, request.user)
        known = is_compared(reference, candidate)
        comparison = request_comparison(reference, candidate, request.user)
        stored = self.get_queryset().get(pk=comparison.pk)
        return Response(self.get_serializer(stored).data, status.HTTP_200_OK if known else 201)

    @extend_schema(responses=ScoreSerializer(many=True))
    @action(detail=True, filter_backends=[], serializer_class=ScoreSerializer)
    def scores(self, request: Request, pk: int) -> Response:
        """The scores, one row per pair of layers, in execution order."""
        page = self.paginate_queryset(self._rows())
        return self.get_paginated_response(ScoreSerializer(page, many=True).data)

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def scores_csv(self, request: Request, pk: int) -> StreamingHttpResponse:
        """All scores as CSV. Text cells that a spreadsheet could take for a formula begin with an apostrophe."""
        response = StreamingHttpResponse(csv_lines(self._rows()), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="comparison-{pk}.csv"'
        return response

    def _rows(self) -> QuerySet[Any]:
        return self.get_object().scores.order_by("position")
