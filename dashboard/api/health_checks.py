"""`/api/v1/health-checks/`: what checks of boards found; admins accept new outputs."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.jobs import JobSerializer
from dashboard.api.reach import must_administer
from dashboard.api.reading import Reading
from dashboard.health.checks import accept_outputs, sentence_of
from dashboard.health.golden import NotGolden
from dashboard.health.models import HealthCheck


class HealthCheckSerializer(JobSerializer):
    """A check; `outcome` is empty until it is judged, `evidence` says which outputs differ and what changed."""

    board = serializers.IntegerField(source="board_id")
    golden_model = serializers.IntegerField(source="golden_id")
    run = serializers.IntegerField(source="run_id")
    cause = serializers.CharField()
    because = serializers.CharField()
    confirms = serializers.IntegerField(source="confirms_id", allow_null=True)
    outcome = serializers.CharField()
    sentence = serializers.SerializerMethodField()
    stack = serializers.CharField()
    median_us = serializers.FloatField(allow_null=True)
    evidence = serializers.DictField()

    def get_sentence(self, check: HealthCheck) -> str:
        return sentence_of(check)


class HealthChecks(Reading[HealthCheck]):
    """Checks of boards with golden models."""

    queryset = HealthCheck.objects.select_related("board").defer("log", "board__private_key")
    serializer_class = HealthCheckSerializer
    narrowing = {
        "project": ("project", int),
        "board": ("board", int),
        "golden_model": ("golden", int),
        "outcome": ("outcome", str),
        "state": ("state", str),
    }

    @extend_schema(request=None, responses=HealthCheckSerializer)
    @action(detail=True, methods=["post"], filter_backends=[])
    def accept(self, request: Request, pk: int) -> Response:
        """The outputs that it found are right for the stack that it ran on."""
        check = self.get_object()
        must_administer(check.project, request.user)
        try:
            accept_outputs(check, request.user)
        except NotGolden as error:
            raise ValidationError({"outcome": [str(error)]}) from error
        return Response(HealthCheckSerializer(check).data)
