"""Power that is really switched, on real boards of software: what is lost by it, and what comes back."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from dashboard.boards.models import Board, BoardState, Run
from dashboard.boards.services import note_failure, request_run
from dashboard.conversions.models import Artifact
from dashboard.health import power, services
from dashboard.health.models import Cause, HealthCheck, Outcome, PowerCycle, SwitchKind
from dashboard.health.switches import Configuration, configure
from dashboard.jobs.models import State
from dashboard.projects.models import Project
from tests.claims import claim_with_board
from tests.factories import owner_of
from tests.health.bench import BenchBoard, wait_until, whenever
from tests.health.on_boards.conftest import RunQueue, name_golden
from workers.steps.power import look

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.integration]


class Outlet(HTTPServer):
    """A smart plug on loopback: a POST to /cycle takes the board's power away and gives it back."""

    def __init__(self, board: BenchBoard, works: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), Socket)
        self.board, self.works = board, works
        self.calls: list[str] = []


class Socket(BaseHTTPRequestHandler):
    server: Outlet

    def do_POST(self) -> None:
        self.server.calls.append(self.path)
        if self.server.works and self.path in {"/cycle", "/off"}:
            self.server.board.off()
        if self.server.works and self.path in {"/cycle", "/on"}:
            self.server.board.on()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""


@pytest.fixture
def outlet(settings: Settings) -> Iterator[Callable[..., Outlet]]:
    settings.POWER_NETWORKS = ["127.0.0.0/8"]
    started: list[tuple[Outlet, threading.Thread]] = []

    def plug_in(board: BenchBoard, works: bool = True) -> Outlet:
        server = Outlet(board, works)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        started.append((server, thread))
        return server

    yield plug_in
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


def by_plug(outlet: Outlet, **changes: Any) -> Configuration:
    address = f"http://127.0.0.1:{outlet.server_address[1]}"
    off = changes.pop("off", "/cycle")
    on = (f"{address}{changes.pop('on')}",) if "on" in changes else ()
    return Configuration(
        kind=SwitchKind.HTTP, off=(f"{address}{off}",), on=on, pause_s=0, reboot=(), **changes
    )


def hangs_there(artifact: Artifact, board: Board, code: str = "board:npu-hung") -> Run:
    """A run that met a hang on the board and is put back, as its worker does it."""
    run = request_run(artifact, board=board, iterations=2)
    assert claim_with_board(run, "worker@test")
    note_failure(run, Board.objects.get(pk=board.pk), code, "no answer")
    assert run.put_back(run.fence, code)
    return run


def ended(kind: Any) -> Any:
    job = kind.objects.latest("pk")
    return job.state, job.failure, job.detail


def test_after_a_hang_the_plug_is_pulled_the_board_checked_and_the_run_done(
    boards: Any, artifact: Artifact, project: Project, run_queue: RunQueue, outlet: Callable[..., Outlet]
):
    bench_board = boards()
    board = bench_board.register(project, "desk")
    name_golden(artifact, board, run_queue)
    plug = outlet(bench_board)
    configure(board, by_plug(plug), True, owner_of(project))
    bench_board.hang()
    run = hangs_there(artifact, board)
    run_queue()
    services.turn()
    run_queue()
    run.refresh_from_db()
    board.refresh_from_db()
    check = HealthCheck.objects.get()
    assert (ended(PowerCycle)[0], plug.calls, bench_board.starts) == (State.SUCCEEDED, ["/cycle"], 2)
    assert (check.cause, check.outcome) == (Cause.POWER, Outcome.PASSED)
    assert (run.state, board.state) == (State.SUCCEEDED, BoardState.READY)


def test_off_and_on_may_be_two_calls(
    boards: Any, artifact: Artifact, project: Project, run_queue: RunQueue, outlet: Callable[..., Outlet]
):
    bench_board = boards()
    board = bench_board.register(project, "desk")
    plug = outlet(bench_board)
    configure(board, by_plug(plug, off="/off", on="/on"), True, owner_of(project))
    power.request_by_hand(board, owner_of(project))
    run_queue()
    assert (plug.calls, ended(PowerCycle)[0]) == (["/off", "/on"], State.SUCCEEDED)


def test_a_command_switches_the_power(
    boards: Any, artifact: Artifact, project: Project, run_queue: RunQueue, settings: Settings, tmp_path: Path
):
    bench_board = boards()
    board = bench_board.register(project, "desk")
    settings.POWER_COMMANDS = tmp_path / "allowed"
    settings.POWER_COMMANDS.mkdir()
    program = settings.POWER_COMMANDS / "outlet"
    asked = tmp_path / "asked"
    program.write_text(
        f'#!/bin/sh\ntest "$1 $2" = "cycle 7" && kill -9 "$(cat {bench_board.folder}/pid)" && touch {asked}\n'
    )
    program.chmod(0o755)
    told = Configuration(kind=SwitchKind.COMMAND, off=("outlet", "cycle", "7"), reboot=())
    configure(board, told, True, owner_of(project))
    with whenever(asked, bench_board.cycle):
        power.request_by_hand(board, owner_of(project))
        run_queue()
    cycle = PowerCycle.objects.get()
    assert (cycle.state, cycle.done, bench_board.starts) == (
        State.SUCCEEDED,
        "its power was switched off and on",
        2,
    )


def test_a_board_that_still_answers_is_rebooted_by_ssh_first(
    boards: Any, artifact: Artifact, project: Project, run_queue: RunQueue, outlet: Callable[..., Outlet]
):
    bench_board = boards()
    board = bench_board.register(project, "desk")
    bench_board.learn("restart-me", f"touch {bench_board.folder}/rebooting")
    plug = outlet(bench_board)
    told = by_plug(plug)
    configure(board, Configuration(**{**vars(told), "reboot": ("restart-me",)}), True, owner_of(project))
    with whenever(bench_board.folder / "rebooting", bench_board.cycle):
        power.request_by_hand(board, owner_of(project))
        run_queue()
    cycle = PowerCycle.objects.get()
    assert (cycle.done, plug.calls, cycle.boot_id != cycle.boot_id_after) == ("rebooted by SSH", [], True)


def test_when_the_reboot_is_refused_the_plug_is_pulled(
    boards: Any, artifact: Artifact, project: Project, run_queue: RunQueue, outlet: Callable[..., Outlet]
):
    bench_board = boards()
    board = bench_board.register(project, "desk")
    bench_board.learn("restart-me", "echo not permitted >&2; exit 1")
    plug = outlet(bench_board)
    told = Configuration(**{**vars(by_plug(plug)), "reboot": ("restart-me",)})
    configure(board, told, True, owner_of(project))
    power.request_by_hand(board, owner_of(project))
    run_queue()
    cycle = PowerCycle.objects.get()
    assert (cycle.state, plug.calls, "not permitted" in cycle.log) == (State.SUCCEEDED, ["/cycle"], True)


def test_a_board_that_does_not_come_back_is_left_to_a_person(
    boards: Any,
    artifact: Artifact,
    project: Project,
    run_queue: RunQueue,
    outlet: Callable[..., Outlet],
    settings: Settings,
):
    settings.POWER_SECONDS = 1
    bench_board = boards()
    board = bench_board.register(project, "desk")
    configure(board, by_plug(outlet(bench_board, works=False)), True, owner_of(project))
    bench_board.off()
    hangs_there(artifact, board)
    run_queue()
    board.refresh_from_db()
    assert ended(PowerCycle)[1] == "board:not-back"
    assert (board.state, board.reason[:15]) == (BoardState.UNHEALTHY, "board:not-back:")


def test_a_board_that_answers_as_before_has_not_been_restarted(
    boards: Any,
    artifact: Artifact,
    project: Project,
    run_queue: RunQueue,
    outlet: Callable[..., Outlet],
    settings: Settings,
):
    settings.POWER_SECONDS = 1
    bench_board = boards()
    board = bench_board.register(project, "desk")
    configure(board, by_plug(outlet(bench_board, works=False)), True, owner_of(project))
    power.request_by_hand(board, owner_of(project))
    run_queue()
    assert ended(PowerCycle)[1] == "board:not-back"


def test_a_run_that_was_only_slow_switches_nothing(
    boards: Any, artifact: Artifact, project: Project, run_queue: RunQueue, outlet: Callable[..., Outlet]
):
    bench_board = boards()
    board = bench_board.register(project, "desk")
    plug = outlet(bench_board)
    configure(board, by_plug(plug), True, owner_of(project))
    hangs_there(artifact, board, "board:timed-out")
    run_queue()
    cycle = PowerCycle.objects.get()
    assert (plug.calls, cycle.done) == ([], "it answered, and nothing was stuck: not switched")


def test_after_a_time_out_a_board_out_of_reach_is_switched(
    boards: Any, artifact: Artifact, project: Project, run_queue: RunQueue, outlet: Callable[..., Outlet]
):
    bench_board = boards()
    board = bench_board.register(project, "desk")
    plug = outlet(bench_board)
    configure(board, by_plug(plug), True, owner_of(project))
    bench_board.off()
    hangs_there(artifact, board, "board:timed-out")
    run_queue()
    assert (plug.calls, ended(PowerCycle)[0]) == (["/cycle"], State.SUCCEEDED)


# A child made by vfork that cannot go on keeps its parent in D: as the driver keeps a process that waits for the NPU.
IN_D = """
import os, sys
os.mkfifo(sys.argv[2])
os.posix_spawn("/bin/true", ["true"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, sys.argv[2], os.O_RDONLY, 0)])
"""


def test_a_process_of_ours_that_hangs_in_the_kernel_is_seen(
    boards: Any, artifact: Artifact, project: Project, tmp_path: Path
):
    board = boards().register(project, "desk")
    before = look(board)
    fifo = tmp_path / "fifo"
    process = subprocess.Popen([sys.executable, "-c", IN_D, "run-17", str(fifo)])
    try:
        wait_until(lambda: "\nState:\tD" in Path(f"/proc/{process.pid}/status").read_text())
        seen = look(board)
    finally:
        fd = os.open(fifo, os.O_WRONLY)
        os.close(fd)
        process.wait(10)
    assert before is not None and seen is not None
    assert (before.is_stuck, seen.is_stuck) == (False, True)


def test_a_worker_that_comes_after_the_restart_does_not_restart_again(
    boards: Any, artifact: Artifact, project: Project, run_queue: RunQueue, outlet: Callable[..., Outlet]
):
    bench_board = boards()
    board = bench_board.register(project, "desk")
    plug = outlet(bench_board)
    configure(board, by_plug(plug), True, owner_of(project))
    cycle = power.request_by_hand(board, owner_of(project))
    assert cycle.claim("a worker that is killed")
    PowerCycle.objects.filter(pk=cycle.pk).update(boot_id="the boot before")
    cycle.put_back(cycle.fence, "The worker vanished; queued again.")
    run_queue()
    cycle.refresh_from_db()
    assert (cycle.done, plug.calls) == ("it had been restarted already", [])
