"""`/api/v1/jobs/<kind>/`: jobs of one kind, with state, stage, failure and log."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers

from dashboard.api.joblinks import JobLinkSerializer
from dashboard.api.reading import Reading
from dashboard.api.simulated import job_is_simulated
from dashboard.jobs.models import Job, kind_named

KIND = OpenApiParameter(
    "kind",
    OpenApiTypes.STR,
    "path",
    enum=["check", "comparison", "conversion", "import", "inspection", "power", "probe", "run", "twin"],
)
# what a job's title needs, so that lists ask for it once
TITLE = {
    "inspection": ("source", "input_set"),
    "conversion": ("source__version__model",),
    "run": ("artifact__conversion__source__version__model", "board", "wanted_board", "result"),
    "comparison": ("reference", "candidate"),
    "probe": ("board", "registration"),
    "check": ("board", "run__result"),
    "twin": ("first_run__wanted_board", "second_run__wanted_board"),
    "power": ("board",),
    "import": ("project",),
}


class JobSerializer(JobLinkSerializer):
    """A job without its log; `simulated` tells that a board made of software is behind its numbers."""

    project = serializers.IntegerField(source="project_id")
    title = serializers.CharField()
    detail = serializers.CharField()
    stage_done = serializers.IntegerField()
    stage_total = serializers.IntegerField()
    attempt = serializers.IntegerField()
    cancel_requested = serializers.BooleanField()
    simulated = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)

    def get_simulated(self, job: Job) -> bool:
        return job_is_simulated(job)


class JobWithLogSerializer(JobSerializer):
    """A job with the last 200,000 characters of its log."""

    log = serializers.CharField()


@extend_schema_view(list=extend_schema(parameters=[KIND]), retrieve=extend_schema(parameters=[KIND]))
class Jobs(Reading[Job]):
    """Jobs of one kind: inspection, import, conversion, run, comparison, probe, check, twin or power."""

    serializer_class = JobSerializer
    detail_serializer_class = JobWithLogSerializer
    narrowing = {"project": ("project", int), "state": ("state", str)}

    def get_queryset(self) -> QuerySet[Job]:
        kind: Any = kind_named(self.kwargs.get("kind", "run"))
        if kind is None:
            raise Http404
        rows: QuerySet[Job] = kind.objects.select_related(*TITLE[kind.kind])
        return self.in_reach(rows if self.action == "retrieve" else rows.defer("log"))
