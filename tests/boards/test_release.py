"""Whatever ends a run, or keeps it from beginning, leaves its board free; and says since when."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from dashboard.boards.models import Board, BoardState, Run
from dashboard.boards.queue import claim_next
from dashboard.boards.services import drain, request_run
from dashboard.dispatch import Dispatcher
from dashboard.jobs.models import State
from tests import factories
from tests.claims import claim_with_board

pytestmark = pytest.mark.django_db

ENDS = {
    "success": lambda run: run.succeed(run.fence),
    "failure": lambda run: run.fail(run.fence, "board:npu-hung"),
    "another try": lambda run: run.put_back(run.fence),
    "a worker that ends": lambda run: run.put_back(run.fence, refund=True),
    "cancelling": lambda run: run.cancel() and run.end_cancelled(run.fence),
}
SWEPT = {
    "a lost worker": {},
    "a lost worker, too often": {"attempt": 3},
    "a lost worker of a cancelled run": {"cancel_requested": True},
}
BROKEN = {
    "sqlite": [
        "CREATE TRIGGER broken BEFORE UPDATE OF run_id ON boards_board BEGIN SELECT RAISE(ABORT, 'no'); END"
    ],
    "postgresql": [
        "CREATE FUNCTION no() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'no'; END $$ LANGUAGE plpgsql",
        "CREATE TRIGGER broken BEFORE UPDATE OF run_id ON boards_board EXECUTE FUNCTION no()",
    ],
}


@pytest.fixture
def board() -> Board:
    return factories.make_board()


@pytest.fixture
def run(board: Board) -> Run:
    artifact = factories.make_artifact()
    board.projects.add(artifact.conversion.project)
    return request_run(artifact)


def freed(board: Board) -> tuple[bool, bool]:
    """Is nothing on the board, and does it say since when?"""
    board.refresh_from_db()
    return board.run_id is None, board.free_at is not None


@pytest.mark.parametrize("how", ENDS)
def test_a_board_is_free_after(board: Board, run: Run, how: str) -> None:
    claimed = claim_next(board, "worker")
    assert ENDS[how](claimed)
    assert freed(board) == (True, True)


@pytest.mark.parametrize("what", SWEPT)
def test_the_sweeper_frees_the_board_of(board: Board, run: Run, what: str) -> None:
    claim_next(board, "worker")
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1), **SWEPT[what])
    Dispatcher().sweep()
    assert freed(board) == (True, True)


def test_a_claim_that_breaks_off_leaves_run_and_board_as_they_were(board: Board, run: Run) -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            for statement in BROKEN[connection.vendor]:
                cursor.execute(statement)
        with pytest.raises(DatabaseError, match="no"), transaction.atomic():
            claim_next(board, "worker")
        transaction.set_rollback(True)
    run.refresh_from_db()
    board.refresh_from_db()
    assert (run.state, run.attempt, board.run_id) == (State.QUEUED, 0, None)


def test_a_run_whose_attempts_are_used_up_takes_no_board(board: Board, run: Run) -> None:
    Run.objects.update(attempt=3)
    assert claim_next(board, "worker") is None
    board.refresh_from_db()
    assert board.run_id is None


def test_a_board_whose_run_is_deleted_is_free_and_ends_its_draining(board: Board, run: Run) -> None:
    assert claim_with_board(run, "worker")
    drain(board, "new cable", None)
    Run.objects.filter(pk=run.pk).delete()
    assert (freed(board), board.state) == ((True, True), BoardState.PAUSED)
