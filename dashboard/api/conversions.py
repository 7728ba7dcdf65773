"""`/api/v1/conversions/`: the jobs that turn a source into an artifact."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dashboard.api.jobs import JobSerializer
from dashboard.api.reading import Reading
from dashboard.conversions.models import Conversion


class ConversionSerializer(JobSerializer):
    """A conversion: what goes in, where it is, and the artifact that came out."""

    source = serializers.IntegerField(source="source_id")  # type: ignore[assignment]  # a field of that name
    recipe = serializers.IntegerField(source="recipe_id")
    calibration = serializers.IntegerField(source="calibration_id")
    samples = serializers.IntegerField(source="samples_id")
    sample = serializers.IntegerField()
    artifact = serializers.SerializerMethodField()

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_artifact(self, conversion: Conversion) -> int | None:
        artifact = getattr(conversion, "artifact", None)
        return artifact.pk if artifact else None


class Conversions(Reading[Conversion]):
    """Conversions of sources by recipes."""

    queryset = Conversion.objects.select_related("source__version__model", "artifact").defer("log")
    serializer_class = ConversionSerializer
    narrowing = {
        "project": ("project", int),
        "source": ("source", int),
        "version": ("source__version", int),
        "state": ("state", str),
    }
