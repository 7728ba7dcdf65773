"""A board's page: who has it, the forms that reserve, give back and drain it, and what waits for it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.boards.models import Board, BoardState
from dashboard.boards.reservations import reserve
from dashboard.boards.services import request_run
from tests.pages.conftest import SignIn, World


@pytest.fixture
def developer(world: World, as_user: SignIn) -> Client:
    return as_user(world.developer)


def page(client: Client, world: World) -> str:
    return client.get(f"/boards/{world.board.pk}/").content.decode()


def post(client: Client, world: World, verb: str, **fields: object) -> str:
    return client.post(f"/boards/{world.board.pk}/{verb}/", fields, follow=True).content.decode()


def test_a_developer_reserves_a_board(world: World, developer: Client) -> None:
    post(developer, world, "reserve", hours="3", undisturbed="on")
    board = Board.objects.get(pk=world.board.pk)
    assert (board.reserved_by, board.undisturbed, board.is_reserved) == (world.developer, True, True)


def test_the_page_tells_who_has_the_board(world: World, as_user: SignIn) -> None:
    reserve(world.board, world.developer, timezone.now() + timedelta(hours=1))
    client = as_user(world.viewer)
    assert "by dev until" in page(client, world) and "by dev until" in client.get("/boards/").content.decode()


def test_who_has_the_board_gives_it_back(world: World, developer: Client) -> None:
    reserve(world.board, world.developer, timezone.now() + timedelta(hours=1))
    assert "Give it back" in page(developer, world)
    post(developer, world, "release")
    assert not Board.objects.get(pk=world.board.pk).is_reserved


def test_others_are_told_who_has_it(world: World, developer: Client) -> None:
    reserve(world.board, world.admin, timezone.now() + timedelta(hours=1))
    assert "ada has it until" in post(developer, world, "reserve", hours="1")


@pytest.mark.parametrize("hours", ["", "-1", "48", "many"])
def test_a_reservation_without_a_sensible_end_is_refused(world: World, developer: Client, hours: str) -> None:
    text = post(developer, world, "reserve", hours=hours)
    assert "Hours: " in text or "within the next 24 hours" in text


def test_a_viewer_sees_no_form(world: World, as_user: SignIn) -> None:
    assert "/reserve/" not in page(as_user(world.viewer), world)


def test_an_admin_drains_a_board(world: World, as_user: SignIn) -> None:
    post(as_user(world.admin), world, "drain", reason="new cable")
    board = Board.objects.get(pk=world.board.pk)
    assert (board.state, board.reason) == (BoardState.PAUSED, "new cable")


def test_the_page_lists_the_user_s_runs_that_wait(world: World, developer: Client) -> None:
    artifact = world.evaluation.legs.all()[0].run.artifact
    waiting = [request_run(artifact), request_run(artifact, priority=4, board=world.board)]
    text = page(developer, world)
    assert 0 < text.index(f"/runs/{waiting[1].pk}/") < text.index(f"/runs/{waiting[0].pk}/")
