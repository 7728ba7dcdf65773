"""A queued run says what it waits for, whatever that is, and for that asks as often with many runs as with few."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.boards.fairness import charge
from dashboard.boards.models import Board, BoardState, Run
from dashboard.boards.queue import claim_next
from dashboard.boards.reservations import reserve
from dashboard.boards.services import drain, pause, request_run, set_state
from dashboard.boards.waiting import waiting, waits_of
from dashboard.conversions.models import Artifact
from tests import factories
from tests.boards.queues import flood, two_projects
from tests.claims import claim_with_board

pytestmark = pytest.mark.django_db


@pytest.fixture
def artifact() -> Artifact:
    return factories.make_artifact()


@pytest.fixture
def board(artifact: Artifact) -> Board:
    return factories.make_board(artifact.conversion.project, name="desk")


def reason(run: Run) -> str:
    return waiting(Run.objects.get(pk=run.pk)).reason


def test_no_board_of_the_platform(artifact):
    assert "none of the platform rv1126" in reason(request_run(artifact))


@pytest.mark.parametrize(
    ("toolkit", "words"),
    [("rknn1", "there are boards of software only"), ("reference", "only a board of software")],
)
def test_a_board_of_the_other_kind(toolkit, words):
    artifact = factories.make_artifact(toolkit=toolkit)
    factories.make_board(artifact.conversion.project, simulated=toolkit != "reference")
    assert words in reason(request_run(artifact))


def test_a_board_of_another_site(artifact, board):
    [run] = flood(artifact, 1, site="kyoto")
    assert "the site kyoto has none" in reason(run)


def test_a_label_is_missing(artifact, board):
    assert "none has the label camera" in reason(request_run(artifact, labels=["camera"]))


def test_no_board_has_all_labels_together(artifact, board):
    Board.objects.update(labels=["camera"])
    Board.objects.filter(pk=factories.make_board(artifact.conversion.project).pk).update(labels=["512mb"])
    assert "none has all of 512mb, camera" in reason(request_run(artifact, labels=["camera", "512mb"]))


def test_the_runtime_version_is_missing(artifact, board):
    assert "none has the runtime version 1.7.5" in reason(request_run(artifact, runtime_version="1.7.5"))


def test_the_board_is_no_longer_the_project_s(artifact, board):
    run = request_run(artifact, board=board)
    board.projects.clear()
    assert reason(run) == "the project may no longer use its board"


def test_a_free_board_takes_it_at_once(artifact, board):
    assert reason(request_run(artifact)) == "about to begin"


def test_a_paused_board(artifact, board):
    pause(board, "cable", None)
    assert reason(request_run(artifact)) == "desk is paused"


def test_a_sick_board(artifact, board):
    set_state(board, BoardState.UNHEALTHY, "board:npu-hung: 5 s")
    assert reason(request_run(artifact)) == "desk is unhealthy (board:npu-hung: 5 s)"


def test_a_board_that_is_drained(artifact, board):
    claim_with_board(request_run(artifact), "worker")
    drain(board, "", None)
    assert "desk is draining" in reason(request_run(artifact))


def test_a_busy_board_tells_until_when_probably(artifact, board):
    held = request_run(artifact)
    charge(held.project_id, "local", 120)
    claim_with_board(held, "worker")
    end = timezone.now() + timedelta(seconds=120)
    assert reason(request_run(artifact)) in {
        f"desk is busy with run {held.pk}, probably until {moment:%H:%M} UTC"
        for moment in (end - timedelta(seconds=5), end)
    }


def test_a_run_of_another_project_is_not_named(board):
    one, other = two_projects(board)
    claim_with_board(request_run(one), "worker")
    assert "busy with another project's run" in reason(request_run(other))


def test_all_boards_are_busy(artifact, board):
    factories.make_board(artifact.conversion.project)
    for _ in range(2):
        claim_with_board(request_run(artifact), "worker")
    assert "all 2 boards are busy, the first probably until" in reason(request_run(artifact))


def test_a_reserved_board(artifact, board):
    reserve(board, factories.make_user("ada"), timezone.now() + timedelta(hours=3))
    assert reason(request_run(artifact)).startswith("desk is reserved by ada until ")


def test_the_holder_s_run_is_not_held_up(artifact, board):
    ada = factories.make_user("ada")
    reserve(board, ada, timezone.now() + timedelta(hours=3))
    assert reason(request_run(artifact, user=ada)) == "about to begin"


def test_another_project_s_turn(board):
    one, other = two_projects(board)
    claim_with_board(request_run(one), "worker")
    mine, _ = request_run(one), request_run(other)
    charge(one.conversion.project_id, "local", 100)
    assert reason(mine).endswith(
        "; 1 other project waits for the same boards, and it is another project's turn"
    )


def test_a_run_put_back_tells_when_it_is_tried_again(artifact, board):
    run = request_run(artifact)
    Run.objects.update(not_before=timezone.now() + timedelta(seconds=30))
    assert reason(run) in {"it is tried again in 30 s", "it is tried again in 29 s"}


def test_the_place_counts_who_goes_first(artifact, board):
    flood(artifact, 200), flood(artifact, 50, priority=1), flood(artifact, 30, priority=-1)
    run = request_run(artifact)
    flood(artifact, 10)
    assert waiting(run).before == 250


def test_the_place_does_not_count_runs_for_other_boards(artifact, board):
    flood(artifact, 20, wanted_board=factories.make_board(artifact.conversion.project))
    assert waiting(request_run(artifact, board=board)).before == 0


def test_many_runs_ask_as_often_as_one(artifact, board):
    runs = flood(artifact, 300)
    claim_next(board, "worker")
    counts = []
    for asked in (runs[-1:], runs[100:150]):
        fresh = list(Run.objects.filter(pk__in=[run.pk for run in asked]))
        with CaptureQueriesContext(connection) as seen:
            waits_of(fresh)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 8
