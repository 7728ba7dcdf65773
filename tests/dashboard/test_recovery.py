"""Boards out of reach: when they are tried again by themselves, and when only an admin may say so."""

import pytest

from dashboard.boards.models import Board, BoardState
from dashboard.boards.recovery import REST_SECONDS, Recovery
from dashboard.boards.services import set_state
from tests.factories import make_board

pytestmark = pytest.mark.django_db


class Clock:
    """A clock that goes when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def rested(board: Board, seconds: float) -> Board:
    """The board after the dispatcher saw it, and again `seconds` later."""
    clock = Clock()
    recovery = Recovery(clock)
    recovery.turn()
    clock.now = seconds
    recovery.turn()
    board.refresh_from_db()
    return board


def sick(reason: str) -> Board:
    board = make_board()
    set_state(board, BoardState.UNHEALTHY, reason)
    return board


@pytest.mark.parametrize("code", ["board:unreachable", "board:link-lost"])
def test_a_board_out_of_reach_is_tried_again(code: str) -> None:
    assert rested(sick(f"{code}: no answer"), REST_SECONDS).state == BoardState.READY


def test_a_board_out_of_reach_rests_first() -> None:
    assert rested(sick("board:unreachable: no answer"), REST_SECONDS - 1).state == BoardState.UNHEALTHY


@pytest.mark.parametrize("code", ["board:host-key-changed", "board:bad-answer", "board:npu-failed"])
def test_other_faults_wait_for_an_admin(code: str) -> None:
    assert rested(sick(f"{code}: x"), 10 * REST_SECONDS).state == BoardState.UNHEALTHY


def test_a_paused_board_stays_paused() -> None:
    board = make_board()
    set_state(board, BoardState.PAUSED, "board:unreachable, said the admin")
    assert rested(board, 10 * REST_SECONDS).state == BoardState.PAUSED


def test_a_board_that_is_tried_again_is_on_probation() -> None:
    assert rested(sick("board:unreachable: no answer"), REST_SECONDS).failures_in_a_row == 1
