"""`/api/v1/golden-models/`: what boards are checked with; admins name and retire them."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.reach import found, must_administer
from dashboard.api.reading import Reading
from dashboard.boards.models import Run
from dashboard.health.golden import NotGolden, name_golden_model, retire
from dashboard.health.models import GoldenModel, GoldenOutputs


class GoldenOutputsSerializer(serializers.ModelSerializer[GoldenOutputs]):
    """The right outputs on one stack; `accepted_by` is null where the bits were those known already."""

    facts = serializers.DictField(read_only=True)

    class Meta:
        model = GoldenOutputs
        fields = ["stack", "facts", "outputs_sha256", "median_us", "run", "accepted_by", "accepted_at"]


class GoldenModelSerializer(serializers.ModelSerializer[GoldenModel]):
    """A golden model; `simulated` ones are for boards of software only."""

    outputs = GoldenOutputsSerializer(many=True, read_only=True)

    class Meta:
        model = GoldenModel
        fields = [
            "id",
            "project",
            "platform",
            "runtime_version",
            "simulated",
            "artifact",
            "iterations",
            "outputs",
            "created_at",
            "retired_at",
        ]


class NewGoldenModelSerializer(serializers.Serializer[Any]):
    """A run that was judged good; its artifact and outputs become the golden model of its platform."""

    run = serializers.IntegerField(min_value=1)
    runtime_version = serializers.CharField(max_length=80, default="", allow_blank=True)


class GoldenModels(Reading[GoldenModel]):
    """Golden models of projects."""

    queryset = GoldenModel.objects.prefetch_related("outputs")
    serializer_class = GoldenModelSerializer
    narrowing = {"project": ("project", int), "platform": ("platform", str)}

    @extend_schema(request=NewGoldenModelSerializer, responses={201: GoldenModelSerializer})
    def create(self, request: Request) -> Response:
        """Name the golden model of a platform."""
        asked = NewGoldenModelSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        runs = Run.objects.select_related("project", "artifact").defer("log")
        run = found(runs, request, asked.validated_data["run"])
        must_administer(run.project, request.user)
        try:
            golden = name_golden_model(run, request.user, asked.validated_data["runtime_version"])
        except NotGolden as error:
            raise ValidationError({error.field: [str(error)]}) from error
        return Response(GoldenModelSerializer(golden).data, status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=GoldenModelSerializer)
    @action(detail=True, methods=["post"], filter_backends=[])
    def retire(self, request: Request, pk: int) -> Response:
        """Check no board with it any more."""
        golden = self.get_object()
        must_administer(golden.project, request.user)
        retire(golden, request.user)
        return Response(GoldenModelSerializer(golden).data)
