"""Boards and runs: pinned keys, at most one run per board, quarantine, and what a run brings back."""

import pytest

from dashboard.boards import keys
from dashboard.boards.addresses import AddressRefused, check_address
from dashboard.boards.models import Board, BoardState, Run
from dashboard.boards.services import (
    BoardSettings,
    Measured,
    Taken,
    keep_result,
    note_failure,
    register_board,
    request_run,
    set_state,
)
from dashboard.jobs.models import State
from tests import factories
from tests.claims import claim_with_board

pytestmark = pytest.mark.django_db


@pytest.fixture
def artifact():
    return factories.make_artifact()


@pytest.fixture
def board(artifact):
    return factories.make_board(artifact.conversion.project)


def fail_on(board: Board, code: str = "board:unreachable") -> None:
    """A run on the board that ends with a failure of the board's."""
    run = request_run(factories.make_artifact(factories.make_conversion(_version_for(board))), board=board)
    assert claim_with_board(run, "w")
    assert run.board is not None
    note_failure(run, run.board, code, "detail")
    run.fail(run.fence, code)
    board.refresh_from_db()


def _version_for(board: Board):
    return factories.make_version(factories.make_model(board.projects.get()))


def wanted(**more) -> BoardSettings:
    private = keys.new_private_key()
    fields = {
        "name": "rv-1",
        "address": "10.0.0.7",
        "port": 22,
        "username": "root",
        "host_key": keys.public_key(keys.new_private_key()),
        "private_key": private,
    }
    return BoardSettings(**{**fields, **more})


def test_a_private_key_is_stored_encrypted():
    settings = wanted()
    register_board(settings, [factories.make_project()])
    assert settings.private_key not in repr(Board.objects.values_list().get())


def test_a_private_key_can_be_read_back():
    settings = wanted()
    assert keys.decrypt(register_board(settings, []).private_key) == settings.private_key


def test_another_secret_does_not_open_the_key(settings):
    board = register_board(wanted(), [])
    settings.SECRET_KEY = "another"
    with pytest.raises(keys.BadKey, match="LAYERWISE_SECRET_KEY"):
        keys.decrypt(board.private_key)


def test_registering_again_changes_the_same_board():
    register_board(wanted(), [])
    register_board(wanted(address="10.0.0.8"), [])
    assert Board.objects.get().address == "10.0.0.8"


@pytest.mark.parametrize(
    "change", [{"host_key": "junk"}, {"host_key": "ssh-rsa ***"}, {"private_key": "junk"}]
)
def test_keys_that_are_none_register_nothing(change):
    with pytest.raises(keys.BadKey):
        register_board(wanted(**change), [])
    assert not Board.objects.exists()


@pytest.mark.parametrize("address", ["8.8.8.8", "169.254.169.254", "2001:db8::1", "0.0.0.0", "100.64.0.1"])
def test_addresses_outside_the_lab_are_refused(address):
    with pytest.raises(AddressRefused):
        check_address(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.0.5", "::1", "board.lab"])
def test_addresses_of_the_lab_are_taken(address):
    check_address(address)


def test_a_run_takes_a_free_board(artifact, board):
    run = request_run(artifact)
    assert claim_with_board(run, "w") and Run.objects.get(pk=run.pk).holds == board


def test_a_second_run_waits_for_the_board(artifact, board):
    claim_with_board(request_run(artifact), "w")
    assert not claim_with_board(request_run(artifact), "w")


def test_a_run_that_found_no_board_has_used_no_attempt(artifact, board):
    claim_with_board(request_run(artifact), "w")
    second = request_run(artifact)
    claim_with_board(second, "w")
    second.refresh_from_db()
    assert (second.state, second.attempt) == (State.QUEUED, 0)


@pytest.mark.parametrize("end", ["succeed", "put_back", "end_cancelled"])
def test_a_board_is_given_back_at_every_end(artifact, board, end):
    run = request_run(artifact)
    claim_with_board(run, "w")
    getattr(run, end)(run.fence)
    board.refresh_from_db()
    assert board.run_id is None


def test_a_board_is_given_back_when_the_run_fails(artifact, board):
    run = request_run(artifact)
    claim_with_board(run, "w")
    run.fail(run.fence, "board:link-lost")
    board.refresh_from_db()
    assert board.run_id is None


def test_every_hold_has_a_fence_of_its_own(artifact, board):
    fences = []
    for _ in range(2):
        run = request_run(artifact)
        claim_with_board(run, "w")
        fences.append(run.board.fence)
        run.succeed(run.fence)
    assert fences[0] < fences[1]


@pytest.mark.parametrize("state", [BoardState.PAUSED, BoardState.OFFLINE, BoardState.UNHEALTHY])
def test_a_board_out_of_service_takes_no_run(artifact, board, state):
    set_state(board, state)
    assert not claim_with_board(request_run(artifact), "w")


def test_a_board_of_another_project_takes_no_run(artifact):
    factories.make_board(factories.make_project())
    assert not claim_with_board(request_run(artifact), "w")


def test_a_run_without_a_free_board_is_not_rung_for(artifact, board):
    claim_with_board(request_run(artifact), "w")
    waiting = request_run(artifact)
    assert waiting not in Run.objects.to_ring()


def test_a_run_with_a_free_board_is_rung_for(artifact, board):
    assert request_run(artifact) in Run.objects.to_ring()


def test_a_run_for_one_board_does_not_take_another(artifact, board):
    other = factories.make_board(artifact.conversion.project)
    set_state(board, BoardState.PAUSED)
    assert not claim_with_board(request_run(artifact, board=board), "w") and other.run_id is None


def test_the_second_failure_in_a_row_quarantines(board):
    fail_on(board)
    first = board.state
    fail_on(board)
    assert (first, board.state) == (BoardState.READY, BoardState.UNHEALTHY)


def test_a_changed_host_key_quarantines_at_once(board):
    fail_on(board, "board:host-key-changed")
    assert board.state == BoardState.UNHEALTHY


def test_a_run_that_lost_its_board_says_nothing_about_it(artifact, board):
    run = request_run(artifact, board=board)
    claim_with_board(run, "w")
    run.put_back(run.fence)
    note_failure(run, run.board, "board:host-key-changed", "late")
    board.refresh_from_db()
    assert (board.state, board.failures_in_a_row) == (BoardState.READY, 0)


def test_a_good_run_forgets_earlier_failures(artifact, board):
    fail_on(board)
    run = request_run(artifact)
    claim_with_board(run, "w")
    keep_result(run, Measured("0" * 64, [1.0, 2.0, 3.0]))
    board.refresh_from_db()
    assert board.failures_in_a_row == 0


@pytest.mark.parametrize(
    ("times", "median", "hangs"),
    [([1, 2, 3], 2, 0), ([1, 2, 3, 4], 2.5, 0), ([1, 1, 1, 1, 50], 1, 1), ([7], 7, 0), ([1, 1, 1, 10], 1, 0)],
)
def test_a_runs_number_is_the_median_and_hangs_are_counted(artifact, board, times, median, hangs):
    run = request_run(artifact, board=board)
    claim_with_board(run, "w")
    result = keep_result(run, Measured("0" * 64, times))
    assert (result.median_us, result.hangs) == (median, hangs)


def test_a_resumed_board_starts_afresh(board):
    fail_on(board)
    fail_on(board)
    set_state(board, BoardState.READY)
    assert (board.failures_in_a_row, board.reason) == (0, "")


def test_one_machine_is_one_board():
    register_board(wanted(), [])
    with pytest.raises(Taken, match="already"):
        register_board(wanted(name="another"), [])
