"""The dispatcher's turn: which boards are looked at, what is done without a golden model, and that it is cheap."""

from datetime import timedelta
from itertools import pairwise

import pytest
from django.db.models.functions import Now
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from dashboard.boards.models import Board, BoardState, Purpose
from dashboard.boards.services import set_state
from dashboard.health import services, watches
from dashboard.health.models import BoardWatch, Cause, GoldenModel, HealthCheck
from tests.factories import fail, make_board
from tests.health.conftest import judged

pytestmark = pytest.mark.django_db


def is_due(board: Board) -> Board:
    """Let the board's time come."""
    services.turn()
    BoardWatch.objects.filter(board=board).update(due_at=Now() - timedelta(seconds=1))
    return board


def sick(reason: str) -> Board:
    board = make_board()
    set_state(board, BoardState.UNHEALTHY, reason)
    return is_due(board)


def test_a_new_board_is_watched_from_the_first_turn_on():
    board = make_board()
    services.turn()
    assert BoardWatch.objects.filter(board=board).exists()


def test_the_first_looks_are_spread_over_the_interval():
    boards = [make_board() for _ in range(10)]
    services.turn()
    times = sorted(BoardWatch.objects.values_list("due_at", flat=True))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert (len(times), max(gaps) < timedelta(hours=8)) == (len(boards), True)


def test_a_board_that_is_due_gets_a_health_run_pinned_to_it(board: Board, golden: GoldenModel):
    services.turn()
    is_due(board)
    services.turn()
    run = HealthCheck.objects.get().run
    assert (run.wanted_board, run.purpose) == (board, Purpose.HEALTH)


def test_a_board_that_is_being_checked_is_not_due(board: Board, golden: GoldenModel):
    is_due(board)
    services.turn()
    is_due(board)
    assert (services.turn(), HealthCheck.objects.count()) == (0, 1)


@pytest.mark.parametrize("state", [BoardState.PAUSED, BoardState.DRAINING, BoardState.OFFLINE])
def test_a_board_out_of_service_is_not_disturbed(board: Board, golden: GoldenModel, state: BoardState):
    set_state(board, state, "by hand")
    is_due(board)
    assert services.turn() == 0


def test_a_scheduled_check_is_less_urgent_than_one_after_an_incident(board: Board, golden: GoldenModel):
    is_due(board)
    services.turn()
    scheduled = HealthCheck.objects.get()
    fail(scheduled.run, "board:link-lost", "cut")
    judged(scheduled)
    watches.look_now(board, Cause.INCIDENT, "it rebooted")
    services.turn()
    urgent = HealthCheck.objects.latest("pk")
    assert urgent.run.priority > scheduled.run.priority >= 0


def test_a_turn_in_which_nobody_is_due_costs_two_queries(
    board: Board, golden: GoldenModel, django_assert_num_queries: DjangoAssertNumQueries
):
    for _ in range(15):
        make_board(golden.project)
    services.turn()
    BoardWatch.objects.update(due_at=Now() + timedelta(hours=1))
    with django_assert_num_queries(2):
        services.turn()


def test_the_interval_is_a_setting(board: Board, golden: GoldenModel, settings: Settings):
    settings.HEALTH_HOURS = 2
    is_due(board)
    services.turn()
    [left] = BoardWatch.objects.annotate(left=Now()).values_list("due_at", "left")
    assert timedelta(hours=1.9) < left[0] - left[1] < timedelta(hours=2.1)


@pytest.mark.parametrize("code", ["board:unreachable", "board:link-lost"])
def test_without_a_golden_model_a_board_out_of_reach_is_tried_again_on_probation(code: str):
    board = sick(f"{code}: no answer")
    services.turn()
    board.refresh_from_db()
    assert (board.state, board.failures_in_a_row) == (BoardState.READY, 1)


def test_a_board_out_of_reach_rests_first():
    board = make_board()
    set_state(board, BoardState.UNHEALTHY, "board:unreachable: no answer")
    services.turn()
    board.refresh_from_db()
    assert board.state == BoardState.UNHEALTHY


@pytest.mark.parametrize("code", ["board:host-key-changed", "board:bad-answer", "board:npu-failed"])
def test_other_faults_wait_for_an_admin(code: str):
    board = sick(f"{code}: x")
    services.turn()
    board.refresh_from_db()
    assert board.state == BoardState.UNHEALTHY


def test_a_paused_board_stays_paused():
    board = make_board()
    set_state(board, BoardState.PAUSED, "board:unreachable, said the admin")
    is_due(board)
    services.turn()
    board.refresh_from_db()
    assert board.state == BoardState.PAUSED


def test_with_a_golden_model_a_board_out_of_reach_stays_in_quarantine_while_it_is_checked(
    board: Board, golden: GoldenModel
):
    set_state(board, BoardState.UNHEALTHY, "board:unreachable: no answer")
    is_due(board)
    services.turn()
    board.refresh_from_db()
    assert (board.state, HealthCheck.objects.get().cause) == (BoardState.UNHEALTHY, Cause.RECOVERY)


def test_tries_in_vain_leave_one_row_behind_and_grow_rarer(board: Board, golden: GoldenModel):
    set_state(board, BoardState.UNHEALTHY, "board:unreachable: no answer")
    for _ in range(7):
        is_due(board)
        services.turn()
        check = HealthCheck.objects.latest("pk")
        fail(check.run, "board:unreachable", "no answer")
        judged(check)
    board.refresh_from_db()
    assert (HealthCheck.objects.count(), board.watch.tries) == (1, 7)


@pytest.mark.parametrize(
    ("tries", "seconds"), [(0, 10), (10, 10), (11, 20), (14, 160), (15, 300), (500, 300)]
)
def test_the_rest_grows_with_the_tries_up_to_five_minutes(tries: int, seconds: float):
    assert watches.rest_s(tries) == seconds
