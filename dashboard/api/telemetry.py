"""`/api/v1/boards/<id>/readings/` and `.../changes/`: what a board told of itself over time, newest first."""

from datetime import UTC, datetime
from typing import Any

from django.db.models import Case, QuerySet, When
from django.http import Http404
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from dashboard.api.reach import projects_of, within
from dashboard.api.reading import Narrowing
from dashboard.api.reading import Reading as ReadingRows
from dashboard.boards.models import Board
from dashboard.telemetry.models import FingerprintChange, Reading


class Times(BaseFilterBackend):
    """`?since=` and `?until=`: moments in ISO 8601, with a time zone or in UTC."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        for name, lookup in (("since", "at__gte"), ("until", "at__lt")):
            if text := request.query_params.get(name):
                queryset = queryset.filter(**{lookup: _moment(name, text)})
        return queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """For the OpenAPI document."""
        schema = {"type": "string", "format": "date-time"}
        return [
            {"name": name, "in": "query", "required": False, "schema": schema} for name in ("since", "until")
        ]


def _moment(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a plus sign that nobody quoted
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValidationError({name: ["A moment like 2026-11-24T12:00:00Z is needed."]}) from error


class ReadingSerializer(serializers.ModelSerializer[Reading]):
    """One look at the board; what it did not tell is null. Frequencies in Hz, temperature in degrees Celsius."""

    run = serializers.IntegerField(source="own_run", allow_null=True)

    class Meta:
        model = Reading
        fields = [
            "id",
            "at",
            "moment",
            "run",
            "temperature_c",
            "load",
            "mem_available_kb",
            "disk_free_bytes",
            "npu_hz",
            "cpu_hz",
            "ddr_hz",
        ]


class ChangeSerializer(serializers.ModelSerializer[FingerprintChange]):
    """A field of the fingerprint that is not what it was; `matters`: times before and after are not comparable."""

    run = serializers.IntegerField(source="own_run", allow_null=True)

    class Meta:
        model = FingerprintChange
        fields = ["id", "at", "run", "field", "old", "new", "matters"]


class OfBoard(ReadingRows[Any]):
    """Rows of one board in reach; `run` is null for runs of projects that are out of reach."""

    project_path = "board__projects"
    ordering = ("-at", "-pk")
    filter_backends = [Narrowing, Times]

    def reached(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        board = within(Board.objects.all(), self.request, "projects").filter(pk=self.kwargs["board"]).first()
        if board is None:
            raise Http404
        own_run = Case(When(run__project__in=projects_of(self.request), then="run_id"))
        told: QuerySet[Any] = rows.filter(board=board).annotate(own_run=own_run).distinct()
        return told


class Readings(OfBoard):
    """Temperature, clocks, memory, load and disk, as told before and after every run."""

    queryset = Reading.objects.all()
    serializer_class = ReadingSerializer
    narrowing = {"run": ("run", int), "moment": ("moment", str)}


class Changes(OfBoard):
    """What changed of the fingerprint from run to run."""

    queryset = FingerprintChange.objects.all()
    serializer_class = ChangeSerializer
    narrowing = {"run": ("run", int), "field": ("field", str)}
