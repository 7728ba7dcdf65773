"""`/api/v1/tokens/`: list and revoke tokens. They are made on the project's page, by somebody who signed in."""

from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.reading import Reading
from dashboard.projects.models import ApiToken, Project
from dashboard.projects.services import revoke


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without its secret, which nobody has but its owner."""

    user = serializers.CharField(source="user.username", read_only=True)
    scopes = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = ApiToken
        fields = [
            "id",
            "project",
            "user",
            "name",
            "prefix",
            "scopes",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ]


class Tokens(Reading[ApiToken]):
    """The caller's own tokens; an admin sees all of the project."""

    queryset = ApiToken.objects.select_related("user", "project")
    serializer_class = TokenSerializer
    narrowing = {"project": ("project", int), "prefix": ("prefix", str)}

    def reached(self, rows: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
        user: Any = self.request.user
        return rows.filter(Q(user=user) | Q(project__in=Project.objects.administered_by(user)))

    @extend_schema(request=None, responses=TokenSerializer)
    @action(detail=True, methods=["post"], filter_backends=[])
    def revoke(self, request: Request, pk: int) -> Response:
        """Make the token useless at once; doing it again changes nothing."""
        token = self.get_object()
        if token.revoked_at is None:
            revoke(token, request.user)
            token.refresh_from_db()
        return Response(TokenSerializer(token).data)
