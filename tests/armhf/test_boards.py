"""What an emulated board is, and that nothing of it stays behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.armhf import slots
from tests.armhf.board import EmulatedBoard
from tests.armhf.conftest import soon
from tests.link.board import ROOT

START = """
import django
django.setup()
from tests.armhf.board import emulated_board
from tests.armhf.recipes import KINDS
with emulated_board(KINDS["no-python"]) as board:
    print(board.address, flush=True)
    input()
"""


def says(board: EmulatedBoard, *argv: str) -> str:
    with board.connect() as link:
        return link.run(argv, deadline=soon()).stdout_tail.decode().strip()


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def test_a_board_runs_programs_for_arm(board: EmulatedBoard) -> None:
    assert says(board, "uname", "-m") == "armv7l"


def test_a_board_sees_only_its_own_processes(board: EmulatedBoard) -> None:
    assert "dropbear" in (first := says(board, "cat", "/proc/1/cmdline")) or "sshd" in first


def test_two_boards_have_different_boot_ids(boards: Callable[[str], EmulatedBoard]) -> None:
    path = "/proc/sys/kernel/random/boot_id"
    assert says(boards("no-python"), "cat", path) != says(boards("half-a-python"), "cat", path)


def test_a_reboot_gives_another_boot_id(own_board: EmulatedBoard) -> None:
    before = says(own_board, "cat", "/proc/sys/kernel/random/boot_id")
    own_board.reboot()
    assert says(own_board, "cat", "/proc/sys/kernel/random/boot_id") != before


def test_a_reboot_keeps_the_disk(own_board: EmulatedBoard) -> None:
    says(own_board, "sh", "-c", "echo kept > /userdata/note")
    own_board.reboot()
    assert says(own_board, "cat", "/userdata/note") == "kept"


def test_a_board_that_is_off_has_no_process(own_board: EmulatedBoard) -> None:
    numbers = own_board.processes()
    own_board.switch_off()
    assert [number for number in numbers if Path(f"/proc/{number}").exists()] == []


def start_and_kill() -> tuple[slots.Slot, list[int]]:
    """A test run with a board that is killed: the slot it had, and processes that were in the board's network."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "dashboard.settings"}
    with subprocess.Popen(
        [sys.executable, "-c", START], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:  # fmt: skip
        assert run.stdout is not None
        number = int(run.stdout.readline().split(b".")[2])
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        run.send_signal(signal.SIGKILL)
    return slots.Slot(number, slots.home() / str(number)), [int(child) for child in children]


def test_a_killed_test_run_leaves_no_process(machine: None) -> None:
    _, children = start_and_kill()
    assert wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children))


def test_a_killed_test_run_leaves_no_network(machine: None) -> None:
    slot, _ = start_and_kill()
    assert wait_for(lambda: not Path("/sys/class/net", slot.interface).exists())


def test_the_next_run_clears_what_a_killed_one_left(machine: None) -> None:
    slot, _ = start_and_kill()
    slots.clear_leftovers()
    assert not slot.folder.exists()
