"""`/api/v1/presets/`: recipes to begin with, by toolkit and platform."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.recipes import RecipeField
from dashboard.conversions.presets import Preset, presets


class PresetSerializer(serializers.Serializer[Preset]):
    """A recipe under a name; the first of a toolkit and platform is the one to begin with."""

    key = serializers.CharField()
    name = serializers.CharField()
    reason = serializers.CharField()
    settings = RecipeField()


class Presets(GenericAPIView):  # type: ignore[type-arg]  # a list without rows behind it
    """The presets of every toolkit and platform."""

    serializer_class = PresetSerializer
    metadata_class = None

    @extend_schema(
        parameters=[OpenApiParameter("toolkit", str), OpenApiParameter("platform", str)],
        responses=PresetSerializer(many=True),
        operation_id="presets_list",
    )
    def get(self, request: Request) -> Response:
        """Presets, those of one `?toolkit=` or `?platform=` when it is named."""
        wanted = {name: request.query_params.get(name) for name in ("toolkit", "platform")}
        found = [
            preset
            for preset in presets()
            if all(value in {None, getattr(preset.settings, name)} for name, value in wanted.items())
        ]
        page: Any = self.paginate_queryset(found)
        return self.get_paginated_response(PresetSerializer(page, many=True).data)
