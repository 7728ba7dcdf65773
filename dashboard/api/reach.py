"""How far a call reaches: the caller's projects, for a token only the one that it is bound to.

Strangers are told 404 as if the row did not exist, members whose role is too small 403.
"""

from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from dashboard.api.auth import bound_project
from dashboard.projects.models import Project, Role

M = TypeVar("M", bound=Model)


def projects_of(request: Request) -> QuerySet[Project]:
    """The projects that this call may look at."""
    projects = Project.objects.visible_to(request.user)
    bound = bound_project(request)
    return projects.filter(pk=bound.pk) if bound else projects


def within(rows: QuerySet[M], request: Request, path: str = "project") -> QuerySet[M]:
    """Those of the rows that belong (by `path`) to a project of the caller."""
    return rows.filter(**{f"{path}__in": projects_of(request)})


def found(rows: QuerySet[M], request: Request, pk: int, path: str = "project") -> M:
    """The row with this id, if the caller may look at it. Raises Http404."""
    row = within(rows, request, path).filter(pk=pk).first()
    if row is None:
        raise Http404
    return row


def must_administer(project: Project, user: Any) -> None:
    """Raises PermissionDenied for everybody but the project's admins."""
    if project.role_of(user) != Role.ADMIN:
        raise PermissionDenied("Only an admin of the project may do this.")


def must_change(project: Project, user: Any) -> None:
    """Raises PermissionDenied for a member who may only look."""
    if not project.may_change(user):
        raise PermissionDenied(
            "A viewer changes nothing: ask an admin of the project for the developer role."
        )
