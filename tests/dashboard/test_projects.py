"""Projects, roles and tokens: who belongs to what, and what stays when somebody leaves."""

from datetime import timedelta

import pytest
from django.utils import timezone

from dashboard.projects.models import ApiToken, AuditEvent, Membership, Project, Role, Scope
from dashboard.projects.services import (
    create_project,
    make_token,
    remove_member,
    revoke,
    set_role,
    token_for,
    unique_slug,
)
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return factories.make_project()


def test_whoever_makes_a_project_is_its_admin():
    user = factories.make_user()
    assert create_project("Vision", user).role_of(user) == Role.ADMIN


def test_two_projects_of_like_names_have_different_addresses():
    user = factories.make_user()
    assert [create_project(name, user).slug for name in ("A b", "a-b")] == ["a-b", "a-b-2"]


def test_a_name_without_letters_has_an_address_all_the_same():
    assert unique_slug("日本!", Project.objects.all()) == "unnamed"


def test_a_long_name_has_an_address_that_fits():
    assert len(unique_slug("x" * 500, Project.objects.all())) <= 80


def test_a_stranger_has_no_role(project):
    assert project.role_of(factories.make_user()) is None


@pytest.mark.parametrize(("role", "may"), [(Role.VIEWER, False), (Role.DEVELOPER, True), (Role.ADMIN, True)])
def test_roles_decide_who_may_change(project, role, may):
    assert project.may_change(factories.make_member(project, role)) is may


def test_a_second_role_replaces_the_first(project):
    user = factories.make_member(project, Role.VIEWER)
    set_role(project, user, Role.ADMIN)
    assert Membership.objects.get(project=project, user=user).role == Role.ADMIN


def test_the_last_admin_is_not_removed(project):
    membership = Membership.objects.get(project=project)
    assert (remove_member(membership, None), Membership.objects.count()) == (False, 1)


def test_an_admin_is_removed_when_another_stays(project):
    factories.make_member(project, Role.ADMIN)
    assert remove_member(Membership.objects.filter(project=project)[0], None)


def test_a_removed_members_tokens_are_revoked(project):
    user = factories.make_member(project)
    secret = factories.make_secret(project, user)
    remove_member(Membership.objects.get(project=project, user=user), None)
    assert token_for(secret) is None


def test_a_removed_members_tokens_of_other_projects_stay(project):
    user, other = factories.make_member(project), factories.make_project()
    factories.make_member(other, user=user)
    secret = factories.make_secret(other, user)
    remove_member(Membership.objects.get(project=project, user=user), None)
    assert token_for(secret) is not None


def test_a_tokens_secret_finds_the_token(project):
    token, secret = make_token(project, factories.owner_of(project), "t", [Scope.READ])
    assert token_for(secret) == token


@pytest.mark.parametrize("text", ["", "lw_", "lw_x", "lw__", "other_a_b", "lw_0000000000_secret", "lw_\0_\0"])
def test_another_text_finds_none(project, text):
    factories.make_secret(project)
    assert token_for(text) is None


def test_the_secret_is_kept_as_a_digest_only(project):
    token, secret = make_token(project, factories.owner_of(project), "t", [Scope.READ])
    assert secret.split("_", 2)[2] not in repr(ApiToken.objects.values_list().get(pk=token.pk))


def test_a_token_ends_at_its_time(project):
    soon = timezone.now() + timedelta(hours=1)
    _, secret = make_token(project, factories.owner_of(project), "t", [Scope.READ], soon)
    before = token_for(secret)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert (before is not None, token_for(secret)) == (True, None)


def test_revoking_twice_keeps_the_first_time(project):
    token = factories.make_token_row(project)
    revoke(token, None)
    first = ApiToken.objects.get().revoked_at
    revoke(token, None)
    assert ApiToken.objects.get().revoked_at == first


def test_use_is_noted_once_a_minute(project):
    secret = factories.make_secret(project)
    token_for(secret)
    first = ApiToken.objects.get().last_used_at
    token_for(secret)
    assert ApiToken.objects.get().last_used_at == first


def test_everything_that_changes_who_may_is_in_the_audit_trail(project):
    user = factories.make_member(project)
    revoke(factories.make_token_row(project, user), user)
    remove_member(Membership.objects.get(project=project, user=user), None)
    actions = set(AuditEvent.objects.filter(project=project).values_list("action", flat=True))
    assert actions == {"project.created", "member.role", "token.made", "token.revoked", "member.removed"}
