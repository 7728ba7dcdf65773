"""One worker with a thread a board, on real boards by SSH: whatever happens to it, every board works again."""

import contextlib
import signal
import socket
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from dashboard.boards.models import Board, BoardState, Run
from dashboard.boards.services import request_run, set_state
from dashboard.conversions.models import Artifact
from dashboard.jobs.models import State
from tests import factories
from tests.bench.farm.machines import Machines, machines
from tests.boards.queues import artifact_of
from tests.chaos.settings import TIMES

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]
Until = Callable[[Callable[[], object]], None]
BOARDS = 3
BOARD_S = 2.5  # longer than the agent is silent


@pytest.fixture(scope="module")
def farm(told: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Three boards that take some seconds for a run, their worker and a dispatcher, on the database of the tests."""
    folder = tmp_path_factory.mktemp("farm")
    told = {**TIMES, **told, "LAYERWISE_DATA": str(folder), "LAYERWISE_MIN_FREE_MB": "0"}
    with machines(folder, BOARDS, BOARD_S, told) as running:
        yield running


@pytest.fixture
def artifact(farm: Machines, settings: Settings, transactional_db: None) -> Artifact:
    """Something to run, its files where the worker finds them; everything that a test has ended runs again."""
    settings.STORE_DIR, settings.WORK_DIR = farm.folder / "store", farm.folder / "work"
    settings.LEASE_SECONDS = int(TIMES["LAYERWISE_LEASE_SECONDS"])
    for process in (*farm.boards, farm.worker, farm.dispatcher):
        if not process.is_running:
            process.start()
            process.wait_until_ready()
    return artifact_of(factories.make_project())


@pytest.fixture
def boards(farm: Machines, artifact: Artifact) -> list[Board]:
    return farm.register([artifact.conversion.project])


def succeeded() -> int:
    return Run.objects.filter(state=State.SUCCEEDED).count()


def is_all_free() -> bool:
    return not Board.objects.filter(run__isnull=False).exists()


def running(count: int) -> Callable[[], bool]:
    """Are so many runs in the middle of their execution?"""
    return lambda: Run.objects.filter(state=State.RUNNING, stage="plain").count() >= count


@contextlib.contextmanager
def sleeping_npus(farm: Machines) -> Iterator[None]:
    """Runs that begin now do not end by themselves."""
    programs = [farm.folder / board.name / "npu" for board in farm.boards]
    usual = [program.read_text() for program in programs]
    try:
        for program in programs:
            program.write_text("#!/bin/sh\nsleep 100\n")
        yield
    finally:
        for program, text in zip(programs, usual, strict=True):
            program.write_text(text)


def test_every_board_has_its_runs_at_the_same_time(
    artifact: Artifact, boards: list[Board], until: Until
) -> None:
    for _ in range(BOARDS):
        request_run(artifact)
    until(running(BOARDS))
    until(lambda: succeeded() == BOARDS)


def test_the_runs_of_a_board_share_one_connection(
    farm: Machines, artifact: Artifact, boards: list[Board], until: Until
) -> None:
    before = farm.logins(boards[0])
    for _ in range(4):
        request_run(artifact, board=boards[0])
    until(lambda: succeeded() == 4)
    assert farm.logins(boards[0]) - before == 1


def test_a_board_takes_its_next_run_at_once(artifact: Artifact, boards: list[Board], until: Until) -> None:
    for _ in range(3):
        request_run(artifact, board=boards[0])
    until(lambda: succeeded() == 3)
    order = list(Run.objects.order_by("started_at"))
    gaps = [(after.started_at - run.ended_at).total_seconds() for run, after in pairwise(order)]
    assert all(gap < 2 for gap in gaps)


def test_a_worker_that_is_told_to_end_gives_its_runs_back(
    farm: Machines, artifact: Artifact, boards: list[Board], until: Until
) -> None:
    with sleeping_npus(farm):
        runs = [request_run(artifact) for _ in range(2)]
        until(running(2))
        took = farm.worker.end(signal.SIGTERM, patience_s=30)
    found = {(run.state, run.attempt) for run in Run.objects.filter(pk__in=[run.pk for run in runs])}
    assert (took < 10, found, is_all_free()) == (True, {(State.QUEUED, 0)}, True)


def test_the_runs_of_a_killed_worker_are_done_by_the_next_one(
    farm: Machines, artifact: Artifact, boards: list[Board], until: Until
) -> None:
    for _ in range(BOARDS):
        request_run(artifact)
    until(running(BOARDS))
    farm.worker.end(signal.SIGKILL)
    farm.worker.start()
    until(lambda: succeeded() == BOARDS)
    assert set(Run.objects.values_list("attempt", flat=True)) == {2} and is_all_free()


def test_a_run_that_is_cancelled_on_the_way_to_its_board_frees_it(
    artifact: Artifact, boards: list[Board], until: Until
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        Board.objects.filter(pk=boards[0].pk).update(port=silent.getsockname()[1])
        run = request_run(artifact, board=boards[0])
        until(lambda: Run.objects.filter(pk=run.pk, stage="connecting").exists())
        run.refresh_from_db()
        run.cancel()
        until(lambda: Run.objects.get(pk=run.pk).has_ended)
    run.refresh_from_db()
    assert (run.state, is_all_free()) == (State.CANCELLED, True)


def trouble_with_the_database() -> None:
    """What every process notices: its connections are cut, or nobody can write for a while."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
    else:
        with transaction.atomic():  # takes the only lock for writing
            time.sleep(3)


def test_a_database_that_goes_away_loses_no_run(
    artifact: Artifact, boards: list[Board], until: Until
) -> None:
    for _ in range(BOARDS):
        request_run(artifact)
    until(running(BOARDS))
    trouble_with_the_database()
    until(lambda: succeeded() == BOARDS)
    assert is_all_free()


def test_a_board_that_died_works_again_within_half_a_minute_of_its_return(
    farm: Machines, artifact: Artifact, boards: list[Board], until: Until
) -> None:
    for board in boards[1:]:
        set_state(board, BoardState.PAUSED)
    runs = [request_run(artifact) for _ in range(2)]
    until(running(1))
    farm.boards[0].end(signal.SIGKILL)
    until(lambda: Run.objects.filter(log__contains="The link broke").exists())
    farm.boards[0].start()
    farm.boards[0].wait_until_ready()
    since, back_at = time.monotonic(), timezone.now()
    until(lambda: Run.objects.filter(started_at__gt=back_at).exists())
    took = time.monotonic() - since
    until(lambda: all(Run.objects.get(pk=run.pk).state == State.SUCCEEDED for run in runs))
    assert (took < 30, is_all_free()) == (True, True)
