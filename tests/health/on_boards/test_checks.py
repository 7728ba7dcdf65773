"""Golden checks and twin checks, on real boards of software."""

from typing import Any

import pytest

from dashboard.boards.models import Board, BoardState
from dashboard.boards.services import note_failure, request_run
from dashboard.conversions.models import Artifact
from dashboard.health import services
from dashboard.health.models import Cause, HealthCheck, Outcome, TwinOutcome
from dashboard.health.twins import request_twin_check
from dashboard.projects.models import Project
from tests.claims import claim_with_board
from tests.factories import owner_of
from tests.health.on_boards.conftest import RunQueue, checked, name_golden

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.integration]
QUIRK = "transpose-over-4d"


def test_a_healthy_board_passes_its_golden_check(
    boards: Any, artifact: Artifact, project: Project, run_queue: RunQueue
):
    board = boards().register(project, "desk")
    name_golden(artifact, board, run_queue)
    assert checked(board, run_queue).outcome == Outcome.PASSED


def test_a_board_that_moves_numbers_is_quarantined_with_the_evidence(
    boards: Any, artifact: Artifact, project: Project, run_queue: RunQueue
):
    bench_board = boards()
    board = bench_board.register(project, "desk")
    name_golden(artifact, board, run_queue)
    bench_board.quirks = [QUIRK]
    bench_board.cycle()
    check = checked(board, run_queue)
    board.refresh_from_db()
    [tensor] = check.evidence["outputs"]["tensors"]
    assert (check.outcome, board.state) == (Outcome.DIFFERS, BoardState.UNHEALTHY)
    assert (tensor["name"], 0 < tensor["differing"] <= tensor["values"], tensor["largest"] > 0) == (
        "y",
        True,
        True,
    )


def test_a_board_out_of_reach_comes_back_by_its_golden_check(
    boards: Any, artifact: Artifact, project: Project, run_queue: RunQueue
):
    bench_board = boards()
    board = bench_board.register(project, "desk")
    name_golden(artifact, board, run_queue)
    bench_board.off()
    for _ in range(2):
        run = request_run(artifact, board=board)
        assert claim_with_board(run, "worker@test")
        note_failure(run, Board.objects.get(pk=board.pk), "board:unreachable", "no answer")
        run.fail(run.fence, "board:unreachable")
    bench_board.on()
    type(board.watch).objects.update(due_at=board.watch.due_at.replace(year=2000))
    services.turn()
    run_queue()
    board.refresh_from_db()
    assert (board.state, HealthCheck.objects.get().cause) == (BoardState.READY, Cause.RECOVERY)


def test_a_third_board_finds_the_bad_one_and_the_layer(
    boards: Any, artifact: Artifact, project: Project, run_queue: RunQueue
):
    good, bad, referee = boards(), boards(QUIRK), boards()
    pair = (good.register(project, "good"), bad.register(project, "bad"))
    referee.register(project, "referee")
    twin = request_twin_check(artifact, owner_of(project), pair, iterations=2)
    run_queue()
    twin.refresh_from_db()
    assert (twin.outcome, twin.bad_board, twin.first_layer) == (TwinOutcome.BAD_BOARD, pair[1], "permute")


def test_two_healthy_boards_are_equal(boards: Any, artifact: Artifact, project: Project, run_queue: RunQueue):
    for name in ("one", "two"):
        boards().register(project, name)
    twin = request_twin_check(artifact, owner_of(project), iterations=2)
    run_queue()
    twin.refresh_from_db()
    assert (twin.outcome, twin.sentence) == (
        TwinOutcome.EQUAL,
        "Both boards give the same outputs, bit for bit.",
    )
