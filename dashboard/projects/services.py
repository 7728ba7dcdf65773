"""Verbs about projects, members and tokens. Pages, API and commands all call these."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.text import slugify

from dashboard.jobs.models import in_seconds
from dashboard.projects.models import ApiToken, AuditEvent, Membership, Project, Role, Scope

TOKEN_START = "lw_"
TOKEN = re.compile(TOKEN_START + r"([0-9a-f]{10})_([A-Za-z0-9_-]{20,100})")


def unique_slug(name: str, taken: Any) -> str:
    """A URL word for `name` that no row of the queryset `taken` has."""
    stem = slugify(name)[:70] or "unnamed"
    slug, number = stem, 1
    while taken.filter(slug=slug).exists():
        number += 1
        slug = f"{stem}-{number}"
    return slug


@transaction.atomic
def create_project(name: str, owner: Any) -> Project:
    """A new project whose first admin is `owner`."""
    project = Project.objects.create(name=name, slug=unique_slug(name, Project.objects.all()))
    Membership.objects.create(project=project, user=owner, role=Role.ADMIN)
    record("project.created", project=project, user=owner, subject=name)
    return project


@transaction.atomic
def set_role(project: Project, user: Any, role: Role, by: Any = None) -> Membership:
    """Make `user` a member with this role, or change the role."""
    membership, _ = Membership.objects.update_or_create(project=project, user=user, defaults={"role": role})
    record("member.role", project=project, user=by, subject=f"{user} {role}")
    return membership


@transaction.atomic
def remove_member(membership: Membership, by: Any) -> bool:
    """Take a member out, but never the last admin. Their tokens are revoked."""
    # two admins who take each other out at once wait here for each other
    project = Project.objects.select_for_update().get(pk=membership.project_id)
    others = project.memberships.filter(role=Role.ADMIN).exclude(pk=membership.pk)
    if membership.role == Role.ADMIN and not others.exists():
        return False
    ApiToken.objects.filter(project=project, user=membership.user).update(revoked_at=Now())
    record("member.removed", project=project, user=by, subject=str(membership.user))
    membership.delete()
    return True


def make_token(
    project: Project, user: Any, name: str, scopes: Iterable[Scope], expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """A token and its secret text, which is shown once and not kept."""
    prefix, secret = secrets.token_hex(5), secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        project=project,
        user=user,
        name=name,
        prefix=prefix,
        digest=_digest(secret),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    record("token.made", project=project, user=user, subject=str(token))
    return token, f"{TOKEN_START}{prefix}_{secret}"


def token_for(text: str) -> ApiToken | None:
    """The usable token that this text is the secret of, its use noted at most once a minute."""
    parts = TOKEN.fullmatch(text)
    if parts is None:
        return None
    prefix, secret = parts.groups()
    token = ApiToken.objects.usable().select_related("user", "project").filter(prefix=prefix).first()
    if token is None or not hmac.compare_digest(token.digest, _digest(secret)):
        return None
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=in_seconds(-60))
    ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=Now())
    return token


def revoke(token: ApiToken, by: Any) -> None:
    ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=Now())
    record("token.revoked", project=token.project, user=by, subject=str(token))


def record(action: str, *, project: Project | None = None, user: Any = None, subject: str = "") -> None:
    """Add a line to the audit trail."""
    AuditEvent.objects.create(action=action, project=project, user=user, subject=subject[:200])


def _digest(secret: str) -> str:
    """SHA-256 is enough for a secret of 256 random bits; slow hashes are for passwords."""
    return hashlib.sha256(secret.encode()).hexdigest()
