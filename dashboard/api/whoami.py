"""`/api/v1/whoami/`: who the caller is and how far the call reaches."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dashboard.api.reach import projects_of
from dashboard.projects.models import ApiToken, Scope


class WhoamiSerializer(serializers.Serializer[Any]):
    """The caller; `token` is the prefix of the token in use, `projects` are ids."""

    user = serializers.CharField()
    token = serializers.CharField(allow_null=True)
    scopes = serializers.ListField(child=serializers.CharField())
    projects = serializers.ListField(child=serializers.IntegerField())


class Whoami(APIView):
    """The caller."""

    metadata_class = None

    @extend_schema(responses=WhoamiSerializer)
    def get(self, request: Request) -> Response:
        """User, token, scopes and projects."""
        token = request.auth if isinstance(request.auth, ApiToken) else None
        return Response(
            {
                "user": request.user.get_username(),
                "token": token.prefix if token else None,
                "scopes": token.scopes if token else list(Scope.values),
                "projects": list(projects_of(request).order_by("pk").values_list("pk", flat=True)),
            }
        )
