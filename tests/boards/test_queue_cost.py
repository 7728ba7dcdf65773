"""A claim costs the same however many runs wait, and two claims at once never take the same run or board."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard.boards.models import Board, Lane, Run
from dashboard.boards.queue import claim_next, heads, wakers
from dashboard.boards.services import request_run
from dashboard.jobs.models import State
from tests import factories
from tests.boards.queues import artifact_of, flood, two_projects

pytestmark = pytest.mark.django_db


def queries(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as seen:
        act()
    return len(seen)


def plan_of(query: str) -> str:
    """How the database would answer, with plans that sort or scan a table made unattractive where that can be said."""
    with connection.cursor() as cursor:
        word = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        cursor.execute(f"{word} {query}")
        return "\n".join(" ".join(map(str, row)) for row in cursor.fetchall())


def analyse() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


@pytest.mark.parametrize("pinned", [False, True])
def test_a_claim_asks_as_often_with_many_runs_as_with_few(pinned):
    board = factories.make_board()
    for artifact in two_projects(board):
        flood(artifact, 2, wanted_board=board if pinned else None)
    few = queries(lambda: heads(board))
    for artifact in (artifact_of(project) for project in board.projects.all()):
        flood(artifact, 400, wanted_board=board if pinned else None)
    assert queries(lambda: heads(board)) == few


def test_waking_asks_as_often_with_many_runs_and_boards_as_with_few():
    board = factories.make_board()
    one, other = two_projects(board)
    flood(one, 1), flood(other, 1)
    factories.make_board(one.conversion.project)
    few = queries(wakers)
    for _ in range(5):
        factories.make_board(one.conversion.project, other.conversion.project)
    flood(one, 400), flood(other, 400)
    assert queries(wakers) == few


def test_with_all_boards_busy_waking_asks_once():
    board = factories.make_board()
    for artifact in two_projects(board):
        flood(artifact, 200)
    claim_next(board, "worker")
    assert queries(wakers) == 1


@pytest.mark.parametrize("reserved", [False, True])
def test_the_head_of_a_lane_is_found_by_its_index(reserved):
    board = factories.make_board()
    one, other = two_projects(board)
    person = factories.owner_of(one.conversion.project)
    flood(one, 500, created_by=person), flood(other, 500)
    if reserved:
        Board.objects.update(reserved_by=person, reserved_until="2999-01-01T00:00Z")
        board.refresh_from_db()
    analyse()
    with CaptureQueriesContext(connection) as seen:
        heads(board)
    [query] = [query["sql"] for query in seen if "door0" in query["sql"]]
    plan = plan_of(query)
    assert "run_queue" in plan
    assert not any(word in plan for word in ("Sort", "TEMP B-TREE", "Seq Scan on boards_run", "SCAN U0")), (
        plan
    )


def test_runs_of_one_kind_share_a_lane():
    artifact = factories.make_artifact()
    for labels in (["a", "b"], ["b", "a"], ["a"]):
        request_run(artifact, labels=labels)
    assert Lane.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_boards_that_claim_at_once_take_a_run_each():
    first = factories.make_board()
    projects = [artifact.conversion.project for artifact in two_projects(first)]
    boards = [first, *(factories.make_board(*projects) for _ in range(5))]
    for project in projects:
        flood(artifact_of(project), 150)
    start, taken = threading.Barrier(len(boards)), []

    def serve(board: Board) -> None:
        start.wait(20)
        try:
            for _ in range(8):
                run = claim_next(board, f"worker of {board}")
                assert run is not None
                taken.append(run.pk)
                assert run.succeed(run.fence)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(boards)) as pool:
        for future in [pool.submit(serve, board) for board in boards]:
            future.result(60)
    assert (len(taken), len(set(taken))) == (48, 48)


@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_one_board_at_once_leave_it_one_run():
    board = factories.make_board()
    one, _ = two_projects(board)
    flood(one, 50)
    start = threading.Barrier(6)

    def claim(_: int) -> bool:
        start.wait(20)
        try:
            return claim_next(board, "worker") is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(claim, range(6)))
    assert (sum(won), Run.objects.filter(state=State.RUNNING).count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_cancelled_while_it_is_claimed_holds_no_board():
    board = factories.make_board()
    one, _ = two_projects(board)
    runs = flood(one, 40)
    start = threading.Barrier(2)

    def cancel() -> None:
        start.wait(20)
        try:
            for run in runs:
                Run.objects.get(pk=run.pk).cancel()
        finally:
            connection.close()

    def serve() -> None:
        start.wait(20)
        try:
            while run := claim_next(board, "worker"):
                run.refresh_from_db()
                assert run.end_cancelled(run.fence) if run.cancel_requested else run.succeed(run.fence)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for future in (pool.submit(cancel), pool.submit(serve)):
            future.result(60)
    board.refresh_from_db()
    assert (board.run, Run.objects.exclude(state__in=[State.SUCCEEDED, State.CANCELLED]).count()) == (None, 0)
