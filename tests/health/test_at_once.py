"""Several dispatchers and workers at the same board: one check, one restart, and nobody waits for ever.

SQLite lets only one of them write at a time; the tests mean most on PostgreSQL (`python -m tests.postgres`).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from dashboard.boards.models import Board, BoardState
from dashboard.boards.services import set_state
from dashboard.health import power, services
from dashboard.health.checks import request_check
from dashboard.health.models import BoardWatch, Cause, GoldenModel, HealthCheck, IncidentKind, PowerCycle
from dashboard.health.switches import Configuration, configure
from tests.factories import owner_of
from tests.health.conftest import judged, run_on

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 4


def all_at_once(do: Callable[[], Any], times: int = AT_ONCE) -> list[Any]:
    """What each of so many threads got, all of them begun together."""
    barrier = Barrier(times)

    def one(_: int) -> Any:
        try:
            barrier.wait(30)
            return do()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times), timeout=60))


def make_due(board: Board) -> None:
    services.turn()
    BoardWatch.objects.filter(board=board).update(due_at=Now() - timedelta(seconds=1))


def test_several_dispatchers_ask_for_one_check(board: Board, golden: GoldenModel):
    make_due(board)
    all_at_once(services.turn)
    assert HealthCheck.objects.count() == 1


def test_several_people_ask_for_one_check(board: Board, golden: GoldenModel):
    got = all_at_once(lambda: request_check(board, Cause.ASKED))
    assert sum(check is not None for check in got) == 1


def test_several_dispatchers_begin_to_watch_a_board_once(board: Board):
    all_at_once(services.turn)
    assert BoardWatch.objects.filter(board=board).count() == 1


def test_several_admins_restart_a_board_once(board: Board):
    admin = owner_of(board.projects.get())
    configure(board, Configuration(kind="reboot"), True, admin)

    def restart() -> bool:
        try:
            power.request_by_hand(Board.objects.get(pk=board.pk), admin)
        except power.CannotSwitch:
            return False
        return True

    assert (sum(all_at_once(restart)), PowerCycle.objects.count()) == (1, 1)


def test_a_quarantine_by_several_is_one_incident(board: Board):
    all_at_once(
        lambda: set_state(Board.objects.get(pk=board.pk), BoardState.UNHEALTHY, "board:npu-failed: x")
    )
    assert board.incidents.filter(kind=IncidentKind.QUARANTINE).count() == 1


def test_a_judgement_and_the_dispatcher_do_not_wait_for_each_other(board: Board, golden: GoldenModel):
    check = request_check(board, Cause.SCHEDULE)
    assert check is not None
    run_on(board, run=check.run)
    todo = [lambda: _in_transaction(lambda: judged(check)), *([lambda: _turn(board)] * (AT_ONCE - 1))]

    def next_one() -> Any:
        return todo.pop()()

    all_at_once(next_one)
    check.refresh_from_db()
    assert check.outcome == "passed"


def _turn(board: Board) -> int:
    BoardWatch.objects.filter(board=board).update(due_at=Now() - timedelta(seconds=1))
    return services.turn()


def _in_transaction(do: Callable[[], Any]) -> Any:
    with transaction.atomic():
        return do()
