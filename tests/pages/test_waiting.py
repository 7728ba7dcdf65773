"""A job that waits says for whom, one that failed says why and what to do: the same on every page that shows it."""

import pytest
from django.test import Client

from dashboard.boards.models import BoardState, Run
from dashboard.evaluations.models import Leg
from dashboard.jobs.models import State
from dashboard.jobs.services import beat
from dashboard.layers.models import Comparison
from dashboard.layers.services import request_comparison
from tests.factories import begin, fail, make_dump, make_evaluation, make_queued_run
from tests.pages.conftest import SignIn, World

PAGES = ["/runs/{run}/", "/jobs/run/{run}/", "/evaluations/{evaluation}/"]
COMPARISON_PAGES = ["/comparisons/{comparison}/", "/jobs/comparison/{comparison}/"]
FAILURE = ("The connection to the board broke", "reset by peer", "check cable and network")


@pytest.fixture
def viewer(world: World, as_user: SignIn) -> Client:
    return as_user(world.viewer)


@pytest.fixture
def leg(world: World) -> Leg:
    """A leg whose run is queued."""
    done = world.evaluation.legs.all()[0]
    leg: Leg = make_evaluation(world.evaluation.version, ended=False, board=world.board).legs.all()[0]
    leg.run = make_queued_run(done.run.artifact, world.board)
    leg.save()
    return leg


@pytest.fixture
def comparison(world: World) -> Comparison:
    """A queued comparison."""
    return request_comparison(make_dump(world.project), make_dump(world.project))


def _run(leg: Leg) -> Run:
    assert leg.run is not None
    return leg.run


def _text(client: Client, page: str, leg: Leg, **headers: str) -> str:
    address = page.format(run=leg.run_id, evaluation=leg.evaluation_id)
    return client.get(address, headers=headers).content.decode()


def _of_comparison(client: Client, page: str, comparison: Comparison, **headers: str) -> str:
    return client.get(page.format(comparison=comparison.pk), headers=headers).content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_a_queued_run_says_that_no_worker_serves_it(viewer: Client, leg: Leg, page: str) -> None:
    assert "no worker at site local, and none has been seen there yet" in _text(viewer, page, leg)


@pytest.mark.parametrize("page", PAGES)
def test_a_queued_run_says_that_its_board_is_paused(
    world: World, viewer: Client, leg: Leg, page: str
) -> None:
    beat("w", "worker", ["boards.local"])
    world.board.state = BoardState.PAUSED
    world.board.save()
    assert "desk is paused" in _text(viewer, page, leg)


@pytest.mark.parametrize("page", PAGES)
def test_the_piece_that_polls_says_it_too(viewer: Client, leg: Leg, page: str) -> None:
    assert "no worker at site" in _text(viewer, page, leg, **{"HX-Request": "true"})


@pytest.mark.parametrize("page", PAGES)
def test_a_run_that_nobody_stands_before_is_next(viewer: Client, leg: Leg, page: str) -> None:
    assert "(next in the queue)" in _text(viewer, page, leg)


@pytest.mark.parametrize("page", COMPARISON_PAGES)
def test_a_queued_comparison_says_that_no_worker_serves_it(
    viewer: Client, comparison: Comparison, page: str
) -> None:
    assert "no worker serves the queue compare" in _of_comparison(viewer, page, comparison)


@pytest.mark.parametrize("page", COMPARISON_PAGES)
def test_a_queued_comparison_tells_its_place(world: World, viewer: Client, page: str) -> None:
    beat("w", "worker", ["compare"])
    waiting = Comparison.objects.filter(state=State.QUEUED).count()
    _, second = (request_comparison(make_dump(world.project), make_dump(world.project)) for _ in range(2))
    assert f"waiting for a free worker ({waiting + 1} before it)" in _of_comparison(viewer, page, second)


@pytest.mark.parametrize("page", PAGES)
def test_a_failed_run_shows_title_detail_and_advice(viewer: Client, leg: Leg, page: str) -> None:
    fail(_run(leg), "board:link-lost", "reset by peer")
    text = _text(viewer, page, leg)
    assert [told in text for told in FAILURE] == [True, True, True]


@pytest.mark.parametrize("page", COMPARISON_PAGES)
def test_a_failed_comparison_shows_title_detail_and_advice(
    viewer: Client, comparison: Comparison, page: str
) -> None:
    fail(comparison, "system:file-missing", "0" * 64)
    text = _of_comparison(viewer, page, comparison)
    assert all(told in text for told in ("stored file is gone", "0" * 64, "Restore it from a backup"))


def test_a_running_job_shows_its_stage_and_no_reason_to_wait(viewer: Client, leg: Leg) -> None:
    run = begin(_run(leg))
    run.reached(run.fence, "sending files", 1, 3)
    text = _text(viewer, "/runs/{run}/", leg)
    assert "sending files" in text and "no worker serves" not in text
