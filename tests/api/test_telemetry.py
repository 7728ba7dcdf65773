"""What the API tells of a board over time: filters, pages, and no run of a project out of reach."""

from typing import Any

import pytest
from django.test import Client

from dashboard.boards.models import Board
from tests import factories

pytestmark = pytest.mark.django_db
CALM = {"kernel": "4.19.111", "temperature_mc": 41_000}


@pytest.fixture
def board() -> Board:
    return factories.make_board(factories.make_project())


@pytest.fixture
def ask(board: Board) -> Any:
    """Asks as an admin of the board's first project."""
    client = Client()
    client.force_login(factories.owner_of(board.projects.all()[0]))
    return lambda address: client.get(f"/api/v1/boards/{board.pk}/{address}")


def test_readings_come_newest_first(board: Board, ask: Any) -> None:
    factories.make_visit(board, CALM, {**CALM, "temperature_mc": 60_000})
    assert [row["temperature_c"] for row in ask("readings/").json()["results"]] == [60.0, 41.0]


def test_readings_are_narrowed_by_moment(board: Board, ask: Any) -> None:
    factories.make_visit(board, CALM, CALM)
    assert ask("readings/?moment=before").json()["count"] == 1


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("since=2020-01-01T00:00:00Z", 2),
        ("since=2099-01-01", 0),
        ("until=2099-01-01T00:00:00+02:00", 2),
        ("until=2020-01-01", 0),
    ],
)
def test_readings_are_narrowed_by_time(board: Board, ask: Any, query: str, count: int) -> None:
    factories.make_visit(board, CALM, CALM)
    assert ask(f"readings/?{query}").json()["count"] == count


@pytest.mark.parametrize("moment", ["yesterday", "9999-99-99", "0001-01-01T00:00:00+23:59", "%00"])
def test_a_time_that_is_none_is_a_400(ask: Any, moment: str) -> None:
    assert ask(f"readings/?since={moment}").json()["code"] == "request:invalid"


def test_changes_are_narrowed_by_field(board: Board, ask: Any) -> None:
    factories.make_visit(board, CALM, CALM)
    run = factories.make_visit(board, CALM, {**CALM, "kernel": "5.10", "driver": "6.4"})
    [row] = ask("changes/?field=kernel").json()["results"]
    assert (row["old"], row["new"], row["matters"], row["run"]) == ("4.19.111", "5.10", True, run.pk)


@pytest.mark.parametrize("what", ["readings", "changes"])
def test_runs_of_other_projects_are_not_named(board: Board, ask: Any, what: str) -> None:
    other = factories.make_project()
    board.projects.add(other)
    artifact = factories.make_artifact(
        factories.make_conversion(factories.make_version(factories.make_model(other)))
    )
    factories.make_visit(board, CALM, CALM, artifact)
    factories.make_visit(board, CALM, {**CALM, "kernel": "5.10"}, artifact)
    assert {row["run"] for row in ask(f"{what}/").json()["results"]} == {None}


def test_a_member_of_two_projects_sees_every_row_once(board: Board) -> None:
    other = factories.make_project()
    board.projects.add(other)
    member = factories.make_member(other, user=factories.owner_of(board.projects.order_by("pk")[0]))
    factories.make_visit(board, CALM, CALM)
    client = Client()
    client.force_login(member)
    assert client.get(f"/api/v1/boards/{board.pk}/readings/").json()["count"] == 2


def test_pages_have_a_size(board: Board, ask: Any) -> None:
    factories.make_visit(board, CALM, CALM)
    assert len(ask("readings/?page_size=1").json()["results"]) == 1


def test_a_board_tells_its_temperature_and_its_queue(board: Board, ask: Any) -> None:
    run = factories.make_visit(board, CALM, CALM)
    factories.make_queued_run(run.artifact, board)
    told = ask("").json()
    assert (told["temperature_c"], told["queued"], told["site_workers"], told["run"]) == (41.0, 1, 0, None)
