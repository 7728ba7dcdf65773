"""`/api/v1/models/`: named networks, made on first use, and the history of each."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.reach import found, must_change
from dashboard.api.reading import Reading
from dashboard.projects.models import Project
from dashboard.registry.models import RegisteredModel
from dashboard.registry.services import register_model


class ModelSerializer(serializers.ModelSerializer[RegisteredModel]):
    """A model as it is stored."""

    class Meta:
        model = RegisteredModel
        fields = ["id", "project", "name", "slug", "description", "created_at"]


class NewModelSerializer(serializers.Serializer[Any]):
    """What a model is registered with."""

    project = serializers.IntegerField(min_value=1)
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=10_000, default="", allow_blank=True)


class Models(Reading[RegisteredModel]):
    """Named networks."""

    queryset = RegisteredModel.objects.all()
    serializer_class = ModelSerializer
    narrowing = {"project": ("project", int), "name": ("name", str)}

    @extend_schema(
        request=NewModelSerializer,
        responses={
            201: ModelSerializer,
            200: OpenApiResponse(ModelSerializer, "There was one of this name."),
        },
    )
    def create(self, request: Request) -> Response:
        """The project's model of this name, made when there is none yet."""
        asked = NewModelSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        project = found(Project.objects.all(), request, data["project"], "pk")
        must_change(project, request.user)
        known = project.models.filter(name=data["name"]).exists()
        model = register_model(project, data["name"], request.user, data["description"])
        return Response(ModelSerializer(model).data, status.HTTP_200_OK if known else status.HTTP_201_CREATED)
