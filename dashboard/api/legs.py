"""The legs of an evaluation: verdict, the jobs behind it, and whether a simulated board was in it."""

from typing import Any

from django.db.models import Prefetch
from rest_framework import serializers

from dashboard.api.joblinks import JobLinkSerializer
from dashboard.api.simulated import leg_is_simulated
from dashboard.evaluations.models import Leg


class ReasonSerializer(serializers.Serializer[Any]):
    """One piece of evidence behind a verdict."""

    code = serializers.CharField()
    text = serializers.CharField()
    layer = serializers.CharField(allow_blank=True)


class LegSerializer(serializers.ModelSerializer[Leg]):
    """One source on its way: an empty `outcome` means that it is under way."""

    route = serializers.CharField(source="source.route")
    simulated = serializers.SerializerMethodField()
    reasons = ReasonSerializer(many=True)
    advice = serializers.ListField(child=serializers.CharField())
    jobs = JobLinkSerializer(many=True)

    class Meta:
        model = Leg
        fields = [
            "id",
            "source",
            "route",
            "outcome",
            "sentence",
            "step",
            "first_bad_layer",
            "reasons",
            "advice",
            "simulated",
            "conversion",
            "converted",
            "quantization",
            "run",
            "on_board",
            "jobs",
            "ended_at",
        ]

    def get_simulated(self, leg: Leg) -> bool:
        return leg_is_simulated(leg)


def legs_with_jobs() -> "Prefetch[Any]":
    """Legs with everything that their serializer reads, in one query."""
    related = (
        "source",
        "conversion",
        "converted",
        "quantization",
        "on_board",
        "run__board",
        "run__wanted_board",
        "run__result",
    )
    jobs = ("conversion", "converted", "quantization", "on_board", "run")
    return Prefetch("legs", Leg.objects.select_related(*related).defer(*(f"{job}__log" for job in jobs)))
