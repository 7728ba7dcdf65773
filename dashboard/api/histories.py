"""`/api/v1/models/<id>/history/`: what every evaluated version of a model was like, newest first."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from dashboard.api.reach import found
from dashboard.api.reading import Reading
from dashboard.api.simulated import leg_is_simulated
from dashboard.evaluations.models import Leg
from dashboard.registry.models import RegisteredModel


class HistorySerializer(serializers.ModelSerializer[Leg]):
    """One ended leg; the summaries are the comparisons' own, `median_us` is the run's time in microseconds."""

    version = serializers.IntegerField(source="evaluation.version_id")
    number = serializers.IntegerField(source="evaluation.version.number")
    recipe_id = serializers.IntegerField(source="evaluation.recipe_id")
    route = serializers.CharField(source="source.route")
    simulated = serializers.SerializerMethodField()
    quantization_summary = serializers.SerializerMethodField()
    on_board_summary = serializers.SerializerMethodField()
    median_us = serializers.SerializerMethodField()

    class Meta:
        model = Leg
        fields = [
            "id",
            "evaluation",
            "version",
            "number",
            "recipe_id",
            "source",
            "route",
            "outcome",
            "sentence",
            "step",
            "first_bad_layer",
            "simulated",
            "quantization_summary",
            "on_board_summary",
            "median_us",
            "ended_at",
        ]

    def get_simulated(self, leg: Leg) -> bool:
        return leg_is_simulated(leg)

    def get_quantization_summary(self, leg: Leg) -> dict[str, Any]:
        return leg.quantization.summary if leg.quantization else {}

    def get_on_board_summary(self, leg: Leg) -> dict[str, Any]:
        return leg.on_board.summary if leg.on_board else {}

    def get_median_us(self, leg: Leg) -> float | None:
        result = getattr(leg.run, "result", None)
        return result.median_us if result else None


class History(Reading[Leg]):
    """The ended legs of a model."""

    queryset = (
        Leg.objects.filter(ended_at__isnull=False)
        .select_related(
            "source",
            "evaluation__version",
            "evaluation__board",
            "quantization",
            "on_board",
            "run__result",
            "run__board",
            "run__wanted_board",
        )
        .defer("quantization__log", "on_board__log", "run__log")
    )
    serializer_class = HistorySerializer
    project_path = "evaluation__project"
    narrowing = {"route": ("source__route", str), "recipe": ("evaluation__recipe", int)}
    ordering = ("-evaluation__version__number", "-pk")

    def reached(self, rows: QuerySet[Leg]) -> QuerySet[Leg]:
        model = found(RegisteredModel.objects.all(), self.request, self.kwargs["model"])
        return rows.filter(evaluation__version__model=model)
