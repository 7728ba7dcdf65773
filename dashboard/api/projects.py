"""`/api/v1/projects/`: the caller's projects, each with the caller's role."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dashboard.api.reading import Reading
from dashboard.projects.models import Membership, Project, Role


class ProjectSerializer(serializers.ModelSerializer[Project]):
    """A project and what the caller may do in it."""

    role = serializers.SerializerMethodField()

    class Meta:
        model = Project
        fields = ["id", "name", "slug", "role", "created_at"]

    @extend_schema_field(serializers.ChoiceField(choices=Role.choices))
    def get_role(self, project: Project) -> str:
        user = self.context["request"].user
        return next(one.role for one in project.memberships.all() if one.user_id == user.pk)


class Projects(Reading[Project]):
    """The projects that the caller is a member of."""

    queryset = Project.objects.all()
    serializer_class = ProjectSerializer
    project_path = "pk"
    narrowing = {"slug": ("slug", str)}

    def reached(self, rows: QuerySet[Project]) -> QuerySet[Project]:
        mine: QuerySet[Any] = Membership.objects.filter(user=self.request.user.pk)
        return rows.prefetch_related(Prefetch("memberships", mine))
