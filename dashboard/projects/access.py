"""Who may see and who may change: strangers get 404, members whose role is too small get 403."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404

from dashboard.projects.models import CHANGERS, Membership, Project, Role


def membership_in(slug: str, user: Any) -> Membership:
    """The user's membership of the project with this slug. Raises Http404 for everybody else."""
    membership = Membership.objects.select_related("project").filter(project__slug=slug, user=user).first()
    if membership is None:
        raise Http404
    return membership


def developer_in(slug: str, user: Any) -> Project:
    """The project, for members who may change it. Raises Http404, PermissionDenied."""
    membership = membership_in(slug, user)
    if membership.role not in CHANGERS:
        raise PermissionDenied
    return membership.project


def admin_in(slug: str, user: Any) -> Project:
    """The project, for its admins. Raises Http404, PermissionDenied."""
    membership = membership_in(slug, user)
    if membership.role != Role.ADMIN:
        raise PermissionDenied
    return membership.project


def must_change(project: Project, user: Any) -> None:
    """Raises PermissionDenied for a member who may only look."""
    if not project.may_change(user):
        raise PermissionDenied
