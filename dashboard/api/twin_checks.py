"""`/api/v1/twin-checks/`: the same artifact on two boards, to tell a bad board from a bad model."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.jobs import JobSerializer
from dashboard.api.reach import found, must_change
from dashboard.api.reading import Reading
from dashboard.boards.models import Board
from dashboard.conversions.models import Artifact
from dashboard.health.models import TwinCheck
from dashboard.health.twins import CannotCompare, request_twin_check


class TwinCheckSerializer(JobSerializer):
    """A twin check; `outcome` is empty until it has ended, `referee_run` is the third board's where one was asked."""

    artifact = serializers.IntegerField(source="artifact_id")
    first_run = serializers.IntegerField(source="first_run_id")
    second_run = serializers.IntegerField(source="second_run_id")
    referee_run = serializers.IntegerField(source="referee_run_id", allow_null=True)
    comparison = serializers.IntegerField(source="comparison_id", allow_null=True)
    outcome = serializers.CharField()
    sentence = serializers.CharField()
    first_layer = serializers.CharField()
    bad_board = serializers.IntegerField(source="bad_board_id", allow_null=True)
    evidence = serializers.DictField()


class NewTwinCheckSerializer(serializers.Serializer[Any]):
    """What a twin check is asked with; a board that is not named is any of the platform."""

    artifact = serializers.IntegerField(min_value=1)
    first = serializers.IntegerField(min_value=1, allow_null=True, default=None)
    second = serializers.IntegerField(min_value=1, allow_null=True, default=None)
    iterations = serializers.IntegerField(min_value=1, max_value=1000, default=20)


class TwinChecks(Reading[TwinCheck]):
    """Twin checks."""

    queryset = TwinCheck.objects.select_related("first_run__wanted_board", "second_run__wanted_board").defer(
        "log", "first_run__log", "second_run__log"
    )
    serializer_class = TwinCheckSerializer
    narrowing = {
        "project": ("project", int),
        "artifact": ("artifact", int),
        "outcome": ("outcome", str),
        "state": ("state", str),
    }

    @extend_schema(request=NewTwinCheckSerializer, responses={201: TwinCheckSerializer})
    def create(self, request: Request) -> Response:
        """Run an artifact on two boards and compare."""
        asked = NewTwinCheckSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        artifacts = Artifact.objects.select_related("conversion__project")
        artifact = found(artifacts, request, data["artifact"], "conversion__project")
        must_change(artifact.conversion.project, request.user)
        pair = (_board(artifact, data, "first"), _board(artifact, data, "second"))
        try:
            twin = request_twin_check(artifact, request.user, pair, data["iterations"])
        except CannotCompare as error:
            raise ValidationError({"artifact": [str(error)]}) from error
        return Response(TwinCheckSerializer(twin).data, status.HTTP_201_CREATED)


def _board(artifact: Artifact, data: dict[str, Any], name: str) -> Board | None:
    if data[name] is None:
        return None
    board = Board.objects.filter(projects=artifact.conversion.project, pk=data[name]).first()
    if board is None:
        raise ValidationError({name: [f"The artifact's project has no board with the id {data[name]}."]})
    return board
