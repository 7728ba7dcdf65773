"""Who may do what: projects, memberships with a role, API tokens and the audit trail."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse


class Role(models.TextChoices):
    VIEWER = "viewer"
    DEVELOPER = "developer"
    ADMIN = "admin"


CHANGERS = (Role.DEVELOPER, Role.ADMIN)


class Scope(models.TextChoices):
    """What a token may do; each includes what its user may do at most."""

    READ = "read"
    WRITE = "write"


class ProjectOwnedQuerySet(models.QuerySet[Any]):
    """Rows that belong to a project, directly or through another row (`project_path`)."""

    project_path = "project"

    def in_project(self, project: "Project") -> Self:
        return self.filter(**{self.project_path: project})

    def visible_to(self, user: Any) -> Self:
        """Rows of the projects that `user` is a member of."""
        return self.filter(**{f"{self.project_path}__memberships__user": user})


class ProjectQuerySet(models.QuerySet["Project"]):
    def visible_to(self, user: Any) -> Self:
        return self.filter(memberships__user=user)

    def administered_by(self, user: Any) -> Self:
        return self.filter(memberships__user=user, memberships__role=Role.ADMIN)


class Project(models.Model):
    """A team's space. Everything else belongs to one."""

    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(max_length=80, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("project", args=[self.slug])

    def role_of(self, user: Any) -> str | None:
        """The member's role, None for everybody else."""
        membership = self.memberships.filter(user=user).first()
        return membership.role if membership else None

    def may_change(self, user: Any) -> bool:
        return self.role_of(user) in CHANGERS


class Membership(models.Model):
    """One user's role in one project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_role_per_project")]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.project}"


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self) -> Self:
        """Tokens that are neither revoked nor expired, of users that may still sign in."""
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=Now()),
            revoked_at__isnull=True,
            user__is_active=True,
        )


class ApiToken(models.Model):
    """A training job's key to one project, in the name of one user; only a digest of the secret is kept."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tokens")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"


class AuditEvent(models.Model):
    """Who did what to what, for questions that come later. Written once, never changed."""

    project = models.ForeignKey(Project, null=True, on_delete=models.SET_NULL, related_name="audit_events")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-at"], name="audit_of_project")]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"
