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
from dashboard.boards.models import Purpose, Run, RunResult
from dashboard.boards.waiting import Wait
from dashboard.downloads import download
from dashboard.evaluations.waiting import wait_of


class ResultSerializer(serializers.ModelSerializer[RunResult]):
    """What a run measured; times are in microseconds, the median is the run's number."""

    iterations_us = serializers.ListField(child=serializers.FloatField())
    wall_us = serializers.ListField(child=serializers.FloatField())
    sequence = serializers.ListField(child=serializers.DictField(), allow_null=True)
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
            "wall_us",
            "median_us",
            "hangs",
            "timed_total_us",
            "timed_layers",
            "sequence",
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
    purpose = serializers.ChoiceField(choices=Purpose.choices)
    priority = serializers.IntegerField()
    labels = serializers.ListField(child=serializers.CharField())
    runtime_version = serializers.CharField(allow_blank=True)
    sequence = serializers.BooleanField()
    result = serializers.SerializerMethodField()

    @extend_schema_field(ResultSerializer(allow_null=True))
    def get_result(self, run: Run) -> dict[str, object] | None:
        result = getattr(run, "result", None)
        return ResultSerializer(result).data if result else None


class WaitSerializer(serializers.Serializer[Wait]):
    """What a queued run waits for: `before` counts the runs of its project with the same needs that go first."""

    before = serializers.IntegerField()
    reason = serializers.CharField()


class RunDetailSerializer(RunSerializer):
    """A run, and what it waits for while it is queued."""

    waiting = serializers.SerializerMethodField()

    @extend_schema_field(WaitSerializer(allow_null=True))
    def get_waiting(self, run: Run) -> dict[str, object] | None:
        wait = wait_of(run)
        return WaitSerializer(wait).data if wait else None


class Runs(Reading[Run]):
    """Runs of artifacts."""

    detail_serializer_class = RunDetailSerializer

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
