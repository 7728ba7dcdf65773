"""Runs wait for boards: when they are told of, what a claim takes, and whose failure counts."""

import pytest

from dashboard.boards.models import Board, BoardState, Run
from dashboard.boards.services import note_failure
from dashboard.jobs.services import note_published
from tests.claims import claim_with_board
from tests.factories import make_artifact, make_board, make_queued_run

pytestmark = pytest.mark.django_db


def of_any_board(board: Board, count: int) -> list[Run]:
    """Runs of one artifact that any board of the kind will do for."""
    first = make_queued_run(board=board)
    runs = [first, *(make_queued_run(first.artifact, board) for _ in range(count - 1))]
    project = first.project
    board.projects.add(project)
    Run.objects.update(wanted_board=None, board=None)
    return [Run.objects.get(pk=run.pk) for run in runs]


def test_a_run_that_found_no_free_board_is_told_again_as_soon_as_one_is() -> None:
    holder, late = of_any_board(make_board(), 2)
    note_published(late)
    claim_with_board(holder, "worker")
    claim_with_board(late, "another")
    waiting = list(Run.objects.to_ring())
    holder.succeed(holder.fence)
    assert (waiting, list(Run.objects.to_ring())) == ([], [late])


def test_a_run_that_somebody_has_taken_is_not_told_again() -> None:
    [run] = of_any_board(make_board(), 1)
    note_published(run)
    told = Run.objects.get(pk=run.pk).published_at
    claim_with_board(run, "worker")
    claim_with_board(Run.objects.get(pk=run.pk), "another")
    assert Run.objects.get(pk=run.pk).published_at == told


def test_no_more_runs_are_told_of_than_boards_are_free() -> None:
    of_any_board(make_board(), 3)
    assert Run.most_at_once() == 1


def test_a_free_board_at_another_site_is_no_reason_to_ring() -> None:
    [run] = of_any_board(make_board(site="munich"), 1)
    Run.objects.filter(pk=run.pk).update(site="kyoto")
    assert not Run.objects.to_ring().exists()


def test_failures_in_a_row_quarantine_a_board() -> None:
    board = make_board()
    for _ in range(2):
        run = make_queued_run(make_artifact(), board)
        run.claim("worker")
        run.hold(board)
        note_failure(run, board, "board:link-lost", "cut")
        run.fail(run.fence, "board:link-lost")
    board.refresh_from_db()
    assert board.state == BoardState.UNHEALTHY


def test_who_lost_the_board_to_another_run_says_nothing_about_it() -> None:
    board = make_board()
    late, newer = make_queued_run(make_artifact(), board), make_queued_run(make_artifact(), board)
    late.claim("worker that was asleep")
    late.hold(board)
    remembered = Board.objects.get(pk=board.pk)
    late.put_back(late.fence)
    newer.claim("worker")
    newer.hold(board)
    note_failure(late, remembered, "board:agent-died", "ended by the next holder")
    board.refresh_from_db()
    assert board.failures_in_a_row == 0
