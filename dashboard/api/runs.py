"""`/api/v1/runs/`: executions of artifacts on boards, and what they brought back."""

from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request

from dashboard.api.jobs import JobSerializer
from dashboard.api.reading import Reading
from dashboard.boards.models import Run, RunResult
from dashboard.downloads import download


class ResultSerializer(serializers.ModelSerializer[RunResult]):
    """What a run measured; times are in microseconds, the median is the run's number."""

    iterations_us = serializers.ListField(child=serializers.FloatField())
    timed_layers = serializers.ListField(child=serializers.DictField())
    fingerprint_before = serializers.DictField()
    fingerprint_after = serializers.DictField()

    class Meta:
        model = RunResult
        fields = [
            "simulated",
            "dump",
            "outputs_sha256",
            "init_us",
            "iterations_us",
            "median_us",
            "hangs",
            "timed_total_us",
            "timed_layers",
            "fingerprint_before",
            "fingerprint_after",
            "created_at",
        ]


class RunSerializer(JobSerializer):
    """A run; `simulated` tells that its board is made of software."""

    artifact = serializers.IntegerField(source="artifact_id")
    platform = serializers.CharField()
    site = serializers.CharField()
    board = serializers.IntegerField(source="board_id", allow_null=True)
    wanted_board = serializers.IntegerField(source="wanted_board_id", allow_null=True)
    iterations = serializers.IntegerField()
    warmup = serializers.IntegerField()
    result = serializers.SerializerMethodField()

    @extend_schema_field(ResultSerializer(allow_null=True))
    def get_result(self, run: Run) -> dict[str, object] | None:
        result = getattr(run, "result", None)
        return ResultSerializer(result).data if result else None


class Runs(Reading[Run]):
    """Runs of artifacts."""

    queryset = Run.objects.select_related(
        "artifact__conversion__source__version__model", "board", "wanted_board", "result"
    ).defer("log", "artifact__conversion__log")
    serializer_class = RunSerializer
    narrowing = {
        "project": ("project", int),
        "artifact": ("artifact", int),
        "board": ("board", int),
        "version": ("artifact__conversion__source__version", int),
        "state": ("state", str),
    }

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, filter_backends=[])
    def outputs(self, request: Request, pk: int) -> HttpResponseBase:
        """The network's outputs of the normal execution, as a tensor file (outputs/1)."""
        run = self.get_object()
        result = getattr(run, "result", None)
        if result is None:
            raise Http404
        return download(result.outputs_sha256, f"run-{run.pk}-outputs.safetensors")
