"""Tokens: bound to one project, limited by scopes, useless once expired or revoked, and never written down."""

import logging
from datetime import timedelta

import pytest
from django.apps import apps
from django.utils import timezone
from rest_framework.test import APIClient

from dashboard.projects.models import ApiToken, AuditEvent, Membership, Project, Role, Scope
from dashboard.projects.services import make_token, remove_member, revoke
from tests import factories
from tests.api.conftest import caller
from tests.api.world import make_world

pytestmark = pytest.mark.django_db


def with_secret(secret: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.mark.parametrize(
    ("scopes", "looking", "changing"),
    [
        ((), 403, 403),
        ((Scope.READ,), 200, 403),
        ((Scope.WRITE,), 403, 201),
        ((Scope.READ, Scope.WRITE), 200, 201),
    ],
)
def test_scopes_decide_between_looking_and_changing(project, scopes, looking, changing):
    client = caller(project, scopes=scopes)
    body = {"project": project.pk, "name": "net"}
    answers = client.get("/api/v1/models/").status_code, client.post("/api/v1/models/", body).status_code
    assert answers == (looking, changing)


def test_a_write_scope_does_not_lift_a_viewer(project):
    client = caller(project, factories.make_member(project, Role.VIEWER))
    assert client.post("/api/v1/models/", {"project": project.pk, "name": "net"}).status_code == 403


def test_a_token_does_not_reach_the_other_projects_of_its_user(project):
    other = factories.make_project(factories.owner_of(project))
    model = factories.make_model(other)
    assert caller(project).get(f"/api/v1/models/{model.pk}/").status_code == 404


def test_a_token_does_not_list_the_other_projects_of_its_user(project):
    factories.make_project(factories.owner_of(project))
    assert caller(project).get("/api/v1/whoami/").json()["projects"] == [project.pk]


def test_a_token_cannot_write_into_the_other_projects_of_its_user(project):
    other = factories.make_project(factories.owner_of(project))
    assert caller(project).post("/api/v1/models/", {"project": other.pk, "name": "net"}).status_code == 404


def test_an_admin_elsewhere_does_not_rule_a_board_by_this_projects_token(project):
    user = factories.owner_of(project)
    viewed = factories.make_project()
    factories.make_member(viewed, Role.VIEWER, user)
    board = factories.make_board(viewed, project)
    assert caller(viewed, user).post(f"/api/v1/boards/{board.pk}/pause/").status_code == 403


def test_a_token_opens_no_page(project):
    assert caller(project).get("/").status_code == 302


def test_an_unknown_token_is_refused(project):
    assert with_secret("lw_0123456789_" + "x" * 43).get("/api/v1/whoami/").status_code == 401


def test_another_secret_with_a_known_prefix_is_refused(project):
    secret = factories.make_secret(project)
    assert with_secret(secret[:-1] + "~").get("/api/v1/whoami/").status_code == 401


def test_a_revoked_token_is_refused(project):
    secret = factories.make_secret(project)
    revoke(ApiToken.objects.get(), factories.owner_of(project))
    assert with_secret(secret).get("/api/v1/whoami/").status_code == 401


def test_an_expired_token_is_refused(project):
    past = timezone.now() - timedelta(seconds=1)
    _, secret = make_token(project, factories.owner_of(project), "old", list(Scope), past)
    assert with_secret(secret).get("/api/v1/whoami/").status_code == 401


def test_a_token_of_somebody_who_may_not_sign_in_is_refused(project):
    client = caller(project)
    factories.owner_of(project).__class__.objects.update(is_active=False)
    assert client.get("/api/v1/whoami/").status_code == 401


def test_a_former_members_token_is_refused(project):
    user = factories.make_member(project)
    client = caller(project, user)
    remove_member(Membership.objects.get(project=project, user=user), factories.owner_of(project))
    assert client.get("/api/v1/whoami/").status_code == 401


def test_a_refused_token_is_told_to_be_a_bearer(project):
    assert with_secret("nonsense").get("/api/v1/whoami/")["WWW-Authenticate"] == "Bearer"


def test_the_secret_is_in_no_table(project):
    text, start = factories.make_secret(project), 14
    rows = [repr(row) for model in apps.get_models() for row in model.objects.values_list()]
    assert not [row for row in rows if text[start:] in row]


def test_the_secret_is_in_no_log(project, caplog):
    caplog.set_level(logging.DEBUG)
    secret = factories.make_secret(project)
    with_secret(secret).get("/api/v1/nowhere/")
    with_secret(secret + "x").get("/api/v1/whoami/")
    assert caplog.records and secret[14:] not in caplog.text


def test_an_owner_revokes_the_token_by_the_token(project):
    client = caller(project)
    token = ApiToken.objects.get()
    client.post(f"/api/v1/tokens/{token.pk}/revoke/")
    assert client.get("/api/v1/whoami/").status_code == 401


def test_a_developer_does_not_see_the_tokens_of_others(project):
    factories.make_token_row(project)
    client = caller(project, factories.make_member(project))
    assert client.get("/api/v1/tokens/").json()["count"] == 1


def test_tokens_are_not_made_by_the_api(project):
    assert caller(project).post("/api/v1/tokens/", {"name": "more"}).status_code == 405


def test_use_is_noted(project):
    caller(project).get("/api/v1/whoami/")
    assert ApiToken.objects.get().last_used_at is not None


@pytest.mark.parametrize(
    ("url", "body", "action"),
    [
        ("/api/v1/models/", lambda w: {"project": w.project.pk, "name": "new"}, "model.registered"),
        (
            "/api/v1/evaluations/",
            lambda w: {"version": w.version.pk, "calibration": w.input_set.pk, "samples": w.input_set.pk},
            "evaluation.requested",
        ),
    ],
)
def test_changes_are_in_the_audit_trail(url, body, action):
    world = make_world()
    caller(world.project).post(url, body(world))
    last = AuditEvent.objects.filter(action=action).latest("pk")
    assert (last.project, last.user) == (world.project, world.people["admin"])


def test_a_paused_board_is_in_the_audit_trail_of_its_projects(project):
    second: Project = factories.make_project()
    board = factories.make_board(project, second)
    caller(project).post(f"/api/v1/boards/{board.pk}/pause/", {"reason": "smoke"})
    assert set(AuditEvent.objects.filter(action="board.paused").values_list("project", flat=True)) == {
        project.pk,
        second.pk,
    }


def test_a_session_without_the_csrf_token_changes_nothing(project):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(factories.owner_of(project))
    assert client.post("/api/v1/models/", {"project": project.pk, "name": "net"}).status_code == 403
