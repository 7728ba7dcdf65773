"""`/api/v1/incidents/`: what happened to boards outside the ordinary; admins close what is over."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.reach import projects_of, within
from dashboard.api.reading import Reading
from dashboard.boards.models import Run
from dashboard.health.incidents import close
from dashboard.health.models import Incident
from dashboard.projects.models import Project


class IncidentSerializer(serializers.ModelSerializer[Incident]):
    """An incident; `run` and `detail` only where the run is of a project of the caller."""

    title = serializers.CharField(read_only=True)
    advice = serializers.CharField(read_only=True)
    run = serializers.SerializerMethodField()
    detail = serializers.SerializerMethodField()

    class Meta:
        model = Incident
        fields = [
            "id",
            "board",
            "kind",
            "code",
            "title",
            "advice",
            "detail",
            "run",
            "times",
            "opened_at",
            "last_at",
            "ended_at",
            "ended_by",
        ]

    def get_run(self, incident: Any) -> int | None:
        return incident.run_id if incident.is_mine else None

    def get_detail(self, incident: Any) -> str:
        return incident.detail if incident.is_mine else ""


class Incidents(Reading[Incident]):
    """Incidents of boards."""

    queryset = Incident.objects.all()
    serializer_class = IncidentSerializer
    project_path = "board__projects"
    narrowing = {"board": ("board", int), "kind": ("kind", str), "code": ("code", str)}

    def reached(self, rows: QuerySet[Incident]) -> QuerySet[Incident]:
        mine = within(Run.objects.all(), self.request).filter(pk=OuterRef("run"))
        return rows.annotate(is_mine=Q(run__isnull=True) | Exists(mine)).distinct()

    @extend_schema(request=None, responses=IncidentSerializer)
    @action(detail=True, methods=["post"], filter_backends=[])
    def close(self, request: Request, pk: int) -> Response:
        """Somebody has looked at it and says that it is over."""
        incident = self.get_object()
        mine = projects_of(request) & Project.objects.administered_by(request.user)
        if not incident.board.projects.filter(pk__in=mine.values("pk")).exists():
            raise PermissionDenied("Only an admin of a project that uses the board may do this.")
        close(incident, request.user)
        return Response(IncidentSerializer(incident).data)
