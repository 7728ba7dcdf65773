"""`/api/v1/probes/`: what was found on boards, step by step. Details are for admins."""

from functools import cached_property
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dashboard.api.jobs import JobSerializer
from dashboard.api.reading import Reading
from dashboard.projects.models import Project
from dashboard.registration.models import Probe
from dashboard.registration.steps import FULL, Step, StepState


class StepSerializer(serializers.Serializer[Step]):
    """One step; `seen` and `detail` are empty for whoever is no admin."""

    name = serializers.ChoiceField(choices=[(name, name) for name in FULL])
    title = serializers.CharField()
    state = serializers.ChoiceField(choices=[(str(state), str(state)) for state in StepState])
    necessary = serializers.BooleanField(source="is_necessary")
    seen = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()
    advice = serializers.SerializerMethodField()

    def get_advice(self, step: Step) -> str:
        return step.why.advice if step.why else ""

    def to_representation(self, instance: Step) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return shown if self.context.get("is_admin") else {**shown, "seen": "", "detail": ""}


class ProbeSerializer(JobSerializer):
    """A probe of a board, or of a registration's address and host key."""

    board = serializers.IntegerField(source="board_id", allow_null=True)
    registration = serializers.IntegerField(source="registration_id", allow_null=True)
    first_run = serializers.IntegerField(source="first_run_id", allow_null=True)
    steps = serializers.SerializerMethodField()

    @extend_schema_field(StepSerializer(many=True))
    def get_steps(self, probe: Probe) -> Any:
        context = {"is_admin": probe.project_id in self._administered}
        return [StepSerializer(step, context=context).data for step in probe.shown_steps]

    @cached_property
    def _administered(self) -> set[int]:
        """The projects that the caller administers, asked for once a list."""
        mine = Project.objects.administered_by(self.context["request"].user)
        return set(mine.values_list("pk", flat=True))


class Probes(Reading[Probe]):
    """Probes of boards."""

    queryset = Probe.objects.select_related("board", "registration", "first_run").defer(
        "log", "board__private_key", "registration__private_key", "first_run__log"
    )
    serializer_class = ProbeSerializer
    narrowing = {
        "project": ("project", int),
        "board": ("board", int),
        "registration": ("registration", int),
        "state": ("state", str),
    }
