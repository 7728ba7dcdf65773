"""A histogram as the API shows it, listed under its artifact."""

from django.urls import reverse
from rest_framework import serializers

from dashboard.conversions.models import Histogram


class HistogramSerializer(serializers.ModelSerializer[Histogram]):
    """A picture of a layer's weights, bias or output; `url` is that of the PNG file, `width` and `height` in pixels.

    `layer_key` is the layer's in the artifact's dumps, empty when none of their layers is called `layer_name`.
    """

    url = serializers.SerializerMethodField()

    class Meta:
        model = Histogram
        fields = [
            "position",
            "layer_key",
            "layer_name",
            "shows",
            "port",
            "width",
            "height",
            "sha256",
            "size",
            "url",
        ]

    def get_url(self, histogram: Histogram) -> str:
        return reverse("api-artifact-histogram-file", args=[histogram.artifact_id, histogram.position])
