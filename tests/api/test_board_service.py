"""Boards by API: reserving, draining, what a queued run waits for, and what an evaluation may ask of the queue."""

from datetime import timedelta

import pytest
from django.utils import timezone

from dashboard.boards.models import Board, BoardState
from dashboard.boards.reservations import reserve
from dashboard.projects.models import Role
from dashboard.registration.services import request_probe
from tests import factories
from tests.api.conftest import caller
from tests.claims import claim_with_board

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("converter")]


def in_hours(hours: float) -> str:
    return (timezone.now() + timedelta(hours=hours)).isoformat()


@pytest.fixture
def board(project):
    return factories.make_board(project, name="desk")


@pytest.fixture
def developer(project):
    return caller(project, factories.make_member(project, Role.DEVELOPER, factories.make_user("dev")))


@pytest.fixture
def asked(project):
    return {
        "version": factories.make_version(factories.make_model(project)).pk,
        "calibration": factories.make_input_set(project).pk,
        "samples": factories.make_input_set(project).pk,
    }


def test_a_reservation_is_shown(developer, board):
    until = in_hours(2)
    answer = developer.post(f"/api/v1/boards/{board.pk}/reserve/", {"until": until, "undisturbed": True})
    found = answer.json()["reservation"]
    assert (found["holder"], found["undisturbed"]) == ("dev", True)


def test_a_board_that_nobody_has_shows_no_reservation(api, board):
    assert api.get(f"/api/v1/boards/{board.pk}/").json()["reservation"] is None


def test_an_end_too_far_away_is_refused(developer, board):
    answer = developer.post(f"/api/v1/boards/{board.pk}/reserve/", {"until": in_hours(48)})
    assert (answer.status_code, "until" in answer.json()["detail"]) == (400, True)


def test_a_board_that_somebody_has_is_a_conflict(developer, board):
    reserve(board, factories.make_user("ada"), timezone.now() + timedelta(hours=1))
    assert developer.post(f"/api/v1/boards/{board.pk}/reserve/", {"until": in_hours(1)}).status_code == 409


def test_a_developer_does_not_end_the_reservation_of_another(developer, board):
    reserve(board, factories.make_user("ada"), timezone.now() + timedelta(hours=1))
    assert developer.post(f"/api/v1/boards/{board.pk}/release/").status_code == 403


def test_an_admin_ends_the_reservation_of_another(api, board):
    reserve(board, factories.make_user("ada"), timezone.now() + timedelta(hours=1))
    assert api.post(f"/api/v1/boards/{board.pk}/release/").json()["reservation"] is None


def test_a_board_that_is_drained_ends_its_run_first(api, board, project):
    run = factories.make_queued_run(board=board)
    board.projects.add(run.project)
    claim_with_board(run, "worker")
    answer = api.post(f"/api/v1/boards/{board.pk}/drain/", {"reason": "new cable"})
    assert (answer.json()["state"], answer.json()["busy"]) == ("draining", True)


def test_lists_of_boards_cost_the_same_with_many_reservations(api, project, django_assert_max_num_queries):
    for _ in range(20):
        factories.make_board(project)
    holder = factories.make_user("ada")
    Board.objects.update(reserved_by=holder, reserved_until=timezone.now() + timedelta(hours=1))
    with django_assert_max_num_queries(5):
        assert api.get("/api/v1/boards/").json()["results"][0]["reservation"]["holder"] == "ada"


def test_a_queued_run_tells_what_it_waits_for(api, project, board):
    version = factories.make_version(factories.make_model(project))
    run = factories.make_queued_run(factories.make_artifact(factories.make_conversion(version)), board)
    Board.objects.update(state=BoardState.PAUSED)
    found = api.get(f"/api/v1/runs/{run.pk}/").json()["waiting"]
    assert found == {"before": 0, "reason": "no worker at site local, and none has been seen there yet"}


def test_a_run_that_has_ended_waits_for_nothing(api, project, board):
    version = factories.make_version(factories.make_model(project))
    run = factories.make_run(factories.make_artifact(factories.make_conversion(version)), board)
    assert api.get(f"/api/v1/runs/{run.pk}/").json()["waiting"] is None


def test_an_evaluation_keeps_what_it_asks_of_the_queue(api, asked):
    demand = {"priority": 3, "labels": ["camera", "512mb"], "runtime_version": "1.7.5", "sequence": True}
    made = api.post("/api/v1/evaluations/", asked | demand).json()
    assert {name: made[name] for name in demand} == demand | {"labels": ["512mb", "camera"]}


@pytest.mark.parametrize(("priority", "status"), [(-10, 201), (0, 201), (1, 422)])
def test_a_developer_may_only_wait_longer(developer, asked, priority, status):
    assert developer.post("/api/v1/evaluations/", asked | {"priority": priority}).status_code == status


@pytest.mark.parametrize("wrong", [{"priority": 11}, {"labels": ["Camera!"]}, {"labels": ["a"] * 9}])
def test_a_demand_that_makes_no_sense_is_refused(api, asked, wrong):
    assert api.post("/api/v1/evaluations/", asked | wrong).status_code == 400


@pytest.mark.parametrize("lacks", [{"labels": ["camera"]}, {"runtime_version": "1.7.5"}])
def test_what_the_named_board_lacks_is_refused(api, asked, board, lacks):
    assert api.post("/api/v1/evaluations/", asked | lacks | {"board": board.pk}).status_code == 422


def test_one_key_for_two_priorities_is_a_conflict(api, asked):
    key = {"idempotency-key": "k1"}
    api.post("/api/v1/evaluations/", asked, headers=key)
    assert api.post("/api/v1/evaluations/", asked | {"priority": 2}, headers=key).status_code == 409


def test_a_board_that_a_probe_holds_is_busy(api, board, project):
    request_probe(board, project, None)
    assert api.get(f"/api/v1/boards/{board.pk}/").json()["busy"] is True
