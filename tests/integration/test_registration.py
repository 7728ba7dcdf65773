"""A board registered while the real stack runs: the dispatcher rings, a Celery worker of the site looks and probes."""

from collections.abc import Callable

import pytest

from dashboard.boards.models import Board, BoardState, Run
from dashboard.registration.drafts import Draft
from dashboard.registration.models import Probe, Registration
from dashboard.registration.services import begin, confirm, request_probe
from tests.chaos.stack import SimulatedBoard, Stack
from tests.chaos.work import Work

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]
Until = Callable[[Callable[[], object]], None]


def seen(work: Work, board: SimulatedBoard, until: Until) -> Registration:
    """A registration whose host key the worker has brought."""
    Board.objects.all().delete()  # the fixture's: the same machine
    facts = board.facts
    draft = Draft(
        "newcomer", "127.0.0.1", facts["port"], facts["user"], npu="sim", work_folder=facts["workdir"]
    )
    registration = begin(work.project, [], draft, work.user)
    until(lambda: Registration.objects.exclude(host_key="").exists())
    registration.refresh_from_db()
    return registration


def test_a_worker_takes_a_new_board_from_its_address_into_service(
    stack: Stack, work: Work, until: Until
) -> None:
    board = stack.boards[0]
    registration = seen(work, board, until)
    with (board.folder / "authorized_keys").open("a") as keys:
        keys.write(f"{registration.public_key} layerwise\n")
    confirm(registration, board.facts["fingerprint"], work.user)
    until(lambda: Probe.objects.filter(board__name="newcomer", ended_at__isnull=False).exists())
    ready = Board.objects.get()
    assert (ready.state, ready.reason, ready.held_by) == (BoardState.READY, "", "")


def test_a_probe_waits_for_the_run_that_holds_the_board(stack: Stack, work: Work, until: Until) -> None:
    board = Board.objects.get()
    work.ask(("direct",), board)
    until(lambda: Run.objects.filter(board=board).exists())
    probe = request_probe(board, work.project, work.user)
    until(lambda: Probe.objects.filter(pk=probe.pk, ended_at__isnull=False).exists())
    probe.refresh_from_db()
    held = Board.objects.get().runs.get()
    assert probe.started_at is not None and held.ended_at is not None and probe.started_at >= held.ended_at
