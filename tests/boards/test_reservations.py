"""Whose runs a reserved board takes, who may reserve it and end that, and until when."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from dashboard.boards.models import Board, BoardState, Purpose
from dashboard.boards.queue import claim_next, wakers
from dashboard.boards.reservations import NotReserved, release, reserve
from dashboard.boards.services import request_run, set_state
from dashboard.conversions.models import Artifact
from dashboard.projects.models import AuditEvent
from tests import factories
from tests.boards.queues import flood
from tests.claims import claim_with_board

pytestmark = pytest.mark.django_db


def soon(hours: float = 1) -> datetime:
    return timezone.now() + timedelta(hours=hours)


@pytest.fixture
def artifact() -> Artifact:
    return factories.make_artifact()


@pytest.fixture
def board(artifact: Artifact) -> Board:
    return factories.make_board(artifact.conversion.project)


@pytest.fixture
def ada(artifact):
    return factories.make_member(artifact.conversion.project, user=factories.make_user("ada"))


@pytest.fixture
def bob(artifact):
    return factories.make_member(artifact.conversion.project, user=factories.make_user("bob"))


def test_a_reserved_board_takes_no_run_of_others(artifact, board, ada, bob):
    reserve(board, ada, soon())
    request_run(artifact, user=bob)
    assert (claim_next(board, "worker"), wakers()) == (None, [])


@pytest.mark.parametrize("state", [BoardState.READY, BoardState.UNHEALTHY])
def test_a_reserved_board_takes_no_twin_check_of_others(artifact, board, ada, bob, state):
    reserve(board, ada, soon())
    set_state(board, state)
    run = request_run(artifact, board=board, user=bob, purpose=Purpose.TWIN)
    assert (wakers(), claim_next(board, "worker"), claim_with_board(run, "worker")) == ([], None, False)


def test_a_reserved_board_takes_no_run_of_others_that_names_it(artifact, board, ada, bob):
    reserve(board, ada, soon())
    assert not claim_with_board(request_run(artifact, board=board, user=bob), "worker")


def test_a_reserved_board_takes_no_run_of_nobody(artifact, board, ada):
    reserve(board, ada, soon())
    request_run(artifact)
    assert claim_next(board, "worker") is None


@pytest.mark.parametrize("pinned", [True, False])
def test_a_reserved_board_takes_the_holder_s_runs(artifact, board, ada, bob, pinned):
    reserve(board, ada, soon())
    flood(artifact, 200, created_by=bob)
    mine = request_run(artifact, board=board if pinned else None, user=ada)
    woken = wakers()
    assert (woken, claim_next(board, "worker")) == ([mine.pk], mine)


@pytest.mark.parametrize("undisturbed", [True, False])
def test_health_runs_go_to_a_reserved_board_unless_it_is_undisturbed(artifact, board, ada, undisturbed):
    reserve(board, ada, soon(), undisturbed)
    request_run(artifact, board=board, purpose=Purpose.HEALTH)
    woken = wakers()
    assert ((claim_next(board, "worker") is None), woken == []) == (undisturbed, undisturbed)


def test_an_undisturbed_board_takes_no_health_run_by_itself_either(artifact, board, ada):
    reserve(board, ada, soon(), undisturbed=True)
    assert not claim_with_board(request_run(artifact, board=board, purpose=Purpose.HEALTH), "worker")


def test_a_reservation_ends_by_itself(artifact, board, ada, bob):
    reserve(board, ada, soon())
    Board.objects.update(reserved_until=timezone.now() - timedelta(seconds=1))
    request_run(artifact, user=bob)
    assert claim_next(board, "worker") is not None


def test_the_run_that_holds_the_board_goes_on(artifact, board, ada, bob):
    run = request_run(artifact, user=bob)
    claim_with_board(run, "worker")
    reserve(board, ada, soon())
    assert run.succeed(run.fence)


def test_nobody_reserves_what_somebody_else_has(board, ada, bob):
    reserve(board, ada, soon())
    with pytest.raises(NotReserved, match="ada has it until"):
        reserve(board, bob, soon())


def test_an_expired_reservation_is_no_hindrance(board, ada, bob):
    reserve(board, ada, soon())
    Board.objects.update(reserved_until=timezone.now() - timedelta(seconds=1))
    reserve(board, bob, soon())
    assert board.reserved_by == bob


def test_who_has_the_board_moves_the_end(board, ada):
    reserve(board, ada, soon(1))
    reserve(board, ada, soon(5))
    assert board.reserved_until > soon(4)


@pytest.mark.parametrize("hours", [-1, 25])
def test_the_end_lies_within_the_next_day(board, ada, hours):
    with pytest.raises(NotReserved, match="within the next 24 hours"):
        reserve(board, ada, soon(hours))


def test_the_longest_reservation_is_a_setting(board, ada, settings):
    settings.RESERVATION_HOURS = 100
    reserve(board, ada, soon(90))
    assert board.is_reserved


def test_who_has_the_board_gives_it_back(board, ada):
    reserve(board, ada, soon())
    release(board, ada, is_admin=False)
    assert not board.is_reserved


def test_others_do_not_end_a_reservation(board, ada, bob):
    reserve(board, ada, soon())
    with pytest.raises(NotReserved):
        release(board, bob, is_admin=False)


def test_an_admin_ends_any_reservation(board, ada, bob):
    reserve(board, ada, soon())
    release(board, bob, is_admin=True)
    assert not board.is_reserved


def test_both_are_written_to_the_audit_trail(board, ada):
    reserve(board, ada, soon())
    release(board, ada, is_admin=False)
    made = AuditEvent.objects.filter(action__startswith="board.re", subject__startswith=board.name)
    assert sorted(made.values_list("action", flat=True)) == ["board.released", "board.reserved"]
