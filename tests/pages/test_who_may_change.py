"""Changes are POSTs by those who may; a viewer changes nothing."""

import pytest
from django.test import Client

from dashboard.boards.models import BoardState
from dashboard.jobs.models import State
from dashboard.layers.models import Comparison
from dashboard.projects.models import ApiToken, Role
from tests.factories import (
    PASSWORD,
    begin,
    make_conversion,
    make_evaluation,
    make_registration,
    make_token_row,
    make_user,
)
from tests.pages.conftest import SignIn, World

CHANGES = [
    "/projects/vision/models/new/",
    "/projects/vision/input-sets/new/",
    "/projects/vision/tokens/",
    "/models/{model}/versions/new/",
    "/versions/{version}/evaluations/new/",
    "/evaluations/{evaluation}/cancel/",
    "/jobs/conversion/{conversion}/cancel/",
    "/boards/{board}/pause/",
    "/boards/{board}/resume/",
    "/boards/{board}/drain/",
    "/boards/{board}/reserve/",
    "/boards/{board}/release/",
    "/projects/vision/members/",
    "/projects/vision/boards/new/",
    "/registrations/{registration}/look/",
    "/registrations/{registration}/confirm/",
    "/registrations/{registration}/discard/",
    "/boards/{board}/probe/",
    "/boards/{board}/admit/",
    "/boards/{board}/pin/",
]

ONLY_POST = ("cancel/", "pause/", "resume/", "look/", "confirm/", "discard/", "probe/", "admit/", "pin/",
             "drain/", "reserve/", "release/")  # fmt: skip


def _filled(world: World, address: str) -> str:
    version = world.evaluation.version
    leg = world.evaluation.legs.all()[0]
    return address.format(
        model=version.model_id,
        version=version.pk,
        evaluation=world.evaluation.pk,
        conversion=leg.conversion_id,
        board=world.board.pk,
        registration=_registration(world) if "{registration}" in address else 0,
    )


def _registration(world: World) -> int:
    return int(make_registration(world.project).pk)


@pytest.mark.parametrize("address", CHANGES)
def test_a_viewer_changes_nothing(world: World, as_user: SignIn, address: str) -> None:
    assert as_user(world.viewer).post(_filled(world, address), {"name": "x"}).status_code == 403


@pytest.mark.parametrize("address", CHANGES)
def test_a_stranger_does_not_even_learn_that_it_exists(world: World, as_user: SignIn, address: str) -> None:
    assert as_user(world.stranger).post(_filled(world, address), {"name": "x"}).status_code == 404


@pytest.mark.parametrize("address", CHANGES)
def test_a_post_without_the_forms_secret_is_refused(world: World, address: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.admin)
    assert client.post(_filled(world, address), {"name": "x"}).status_code == 403


@pytest.mark.parametrize("address", [one for one in CHANGES if one.endswith(ONLY_POST)])
def test_a_get_changes_nothing(world: World, as_user: SignIn, address: str) -> None:
    assert as_user(world.admin).get(_filled(world, address)).status_code == 405


def test_an_admin_pauses_a_board_with_a_reason(world: World, as_user: SignIn) -> None:
    as_user(world.admin).post(f"/boards/{world.board.pk}/pause/", {"reason": "new cable"})
    world.board.refresh_from_db()
    assert (world.board.state, world.board.reason) == (BoardState.PAUSED, "new cable")


def test_an_admin_takes_a_board_back_into_service(world: World, as_user: SignIn) -> None:
    client = as_user(world.admin)
    client.post(f"/boards/{world.board.pk}/pause/")
    client.post(f"/boards/{world.board.pk}/resume/")
    world.board.refresh_from_db()
    assert world.board.state == BoardState.READY


def test_a_developer_does_not_pause_boards(world: World, as_user: SignIn) -> None:
    assert as_user(world.developer).post(f"/boards/{world.board.pk}/pause/").status_code == 403


def test_cancelling_a_queued_job_ends_the_leg_that_waits_for_it(world: World, as_user: SignIn) -> None:
    waiting = make_evaluation(world.evaluation.version, ended=False, board=world.board)
    leg = waiting.legs.all()[0]
    as_user(world.developer).post(f"/jobs/conversion/{leg.conversion_id}/cancel/")
    leg.refresh_from_db()
    assert leg.reasons[0]["code"] == "job:cancelled"


def test_cancelling_a_running_job_asks_it_to_stop(world: World, as_user: SignIn) -> None:
    conversion = begin(make_conversion(world.evaluation.version))
    as_user(world.developer).post(f"/jobs/conversion/{conversion.pk}/cancel/")
    conversion.refresh_from_db()
    assert (conversion.state, conversion.cancel_requested) == (State.RUNNING, True)


def test_a_developer_cancels_an_evaluation(world: World, as_user: SignIn) -> None:
    waiting = make_evaluation(world.evaluation.version, ended=False, board=world.board)
    as_user(world.developer).post(f"/evaluations/{waiting.pk}/cancel/")
    waiting.refresh_from_db()
    assert waiting.has_ended


def test_a_token_is_shown_once(world: World, as_user: SignIn) -> None:
    client = as_user(world.developer)
    page = f"/projects/{world.project.slug}/tokens/"
    secret = client.post(page, {"name": "training", "scope": "write"}).context["secret"]
    again = client.get(page).content.decode()
    assert secret.startswith("lw_") and secret not in again


def test_tokens_of_others_are_hidden_from_developers(world: World, as_user: SignIn) -> None:
    token = make_token_row(world.project, world.admin)
    page = as_user(world.developer).get(f"/projects/{world.project.slug}/tokens/").content.decode()
    assert token.prefix not in page


def test_a_developer_does_not_revoke_anothers_token(world: World, as_user: SignIn) -> None:
    token = make_token_row(world.project, world.admin)
    answer = as_user(world.developer).post(f"/projects/{world.project.slug}/tokens/{token.pk}/revoke/")
    assert answer.status_code == 403


def test_an_admin_revokes_any_token(world: World, as_user: SignIn) -> None:
    token = make_token_row(world.project, world.developer)
    as_user(world.admin).post(f"/projects/{world.project.slug}/tokens/{token.pk}/revoke/")
    assert ApiToken.objects.get(pk=token.pk).revoked_at is not None


def test_an_admin_adds_a_member(world: World, as_user: SignIn) -> None:
    make_user("newcomer")
    page = f"/projects/{world.project.slug}/members/"
    as_user(world.admin).post(page, {"username": "newcomer", "role": "viewer"})
    assert world.project.memberships.get(user__username="newcomer").role == Role.VIEWER


@pytest.mark.parametrize("how", ["remove", "demote"])
def test_the_last_admin_stays(world: World, as_user: SignIn, how: str) -> None:
    page = f"/projects/{world.project.slug}/members/"
    own = world.project.memberships.get(user=world.admin)
    client = as_user(world.admin)
    if how == "remove":
        client.post(f"{page}{own.pk}/remove/")
    else:
        client.post(page, {"username": "ada", "role": "viewer"})
    assert world.project.memberships.get(user=world.admin).role == Role.ADMIN


def test_layers_are_matched_only_by_a_post(world: World, as_user: SignIn) -> None:
    first, second = (leg.run.pk for leg in world.evaluation.legs.all())
    before = Comparison.objects.count()
    as_user(world.developer).get(f"/compare/?a={first}&b={second}")
    assert Comparison.objects.count() == before


def test_a_post_requests_the_comparison_that_matches_the_layers(world: World, as_user: SignIn) -> None:
    first, second = (leg.run for leg in world.evaluation.legs.all())
    as_user(world.developer).post("/compare/", {"a": first.pk, "b": second.pk})
    wanted = Comparison.objects.filter(
        reference=first.artifact.framework_id, candidate=second.artifact.framework_id, state=State.QUEUED
    )
    assert wanted.count() == 1


def test_wrong_passwords_are_slowed_down(world: World, client: Client) -> None:
    for _ in range(8):
        client.post("/sign-in/", {"username": "ada", "password": "wrong"})
    answer = client.post("/sign-in/", {"username": "ada", "password": PASSWORD})
    assert "Too many wrong tries" in answer.content.decode()


def test_the_right_password_signs_in(world: World, client: Client) -> None:
    assert client.post("/sign-in/", {"username": "ada", "password": PASSWORD}).headers["Location"] == "/"


def test_signing_out_needs_a_post(world: World, as_user: SignIn) -> None:
    assert as_user(world.viewer).get("/sign-out/").status_code == 405
