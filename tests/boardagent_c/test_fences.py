"""One work folder, both agents in turn: the newest fence wins, whoever brings it, and older runs are ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from boardagent import fences, protocol
from tests.boardagent_c.board import Board, wait_until


def sleeping_run(board: Board, fence: int) -> Path:
    """A run of the C agent whose NPU sleeps."""
    board.sim_does("sleep 600 & echo $! > $2/grandchild; wait")
    folder = board.folder(fence)
    board.start(folder)
    wait_until(lambda: (folder / "grandchild").exists() and (folder / "grandchild").read_text().strip())
    return folder


def test_an_older_fence_is_refused(board: Board) -> None:
    board.ask("clean", "7")
    status, events, _ = board.ask("clean", "6")
    assert (status, events[0]["event"], events[0]["reason"]) == (
        protocol.EXIT_STALE_FENCE,
        "refused",
        "stale-fence",
    )


def test_the_same_fence_is_not_refused(board: Board) -> None:
    board.ask("clean", "7")
    assert board.ask("clean", "7")[0] == 0


def test_a_run_of_an_older_fence_is_refused(board: Board) -> None:
    board.ask("clean", "7")
    assert board.ask("start", str(board.folder(6)))[0] == protocol.EXIT_STALE_FENCE


def test_the_c_agent_refuses_what_the_python_agent_saw_a_newer_fence_of(board: Board) -> None:
    board.python("clean", "7")
    assert board.ask("clean", "6")[0] == protocol.EXIT_STALE_FENCE


def test_the_python_agent_refuses_what_the_c_agent_saw_a_newer_fence_of(board: Board) -> None:
    board.ask("clean", "7")
    assert board.python("clean", "6") == protocol.EXIT_STALE_FENCE


def test_fences_alternate_between_both_agents(board: Board) -> None:
    turns = [
        board.ask("clean", "1")[0],
        board.python("clean", "2"),
        board.ask("clean", "3")[0],
        board.python("clean", "4"),
    ]
    assert turns == [0, 0, 0, 0]


def test_the_python_agent_ends_a_run_of_the_c_agent(board: Board) -> None:
    grandchild = int((sleeping_run(board, 1) / "grandchild").read_text())
    board.python("clean", "2")
    wait_until(lambda: fences.start_time(grandchild) is None)


def test_the_c_agent_ends_what_the_python_agent_noted(board: Board) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    ) as left:
        fences.record(str(board.folder(1)), left.pid)
        ended = board.ask("clean", "2")[1][0]["ended"]
        left.kill()
    assert ended == [left.pid]


def test_a_newer_fence_ends_the_run_of_an_older_one(board: Board) -> None:
    folder = sleeping_run(board, 1)
    runner = int((folder / "pids").read_text().split()[0])
    board.ask("clean", "2")
    assert fences.start_time(runner) is None


def test_a_new_run_ends_an_older_one_without_being_asked_to_clean(board: Board) -> None:
    grandchild = int((sleeping_run(board, 1) / "grandchild").read_text())
    board.sim_does("")
    board.run(fence=2)
    assert fences.start_time(grandchild) is None


def test_whoever_is_attached_to_an_outrun_run_is_refused(board: Board) -> None:
    folder = sleeping_run(board, 1)
    (board.root / "fence").write_text("2")
    os.kill(int((folder / "pids").read_text().split()[0]), signal.SIGKILL)
    (folder / "journal.jsonl").write_text("")
    assert board.ask("attach", str(folder), "0", "0")[0] == protocol.EXIT_STALE_FENCE


def test_a_recycled_pid_is_left_alone(board: Board) -> None:
    boot = Path(fences.BOOT_ID).read_text().strip()
    (board.folder(1) / "pids").write_text(f"{os.getppid()} 1 {boot}\n")
    assert board.ask("clean", "2")[1][0]["ended"] == []


def test_pids_of_before_a_reboot_are_left_alone(board: Board) -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as bystander:
        (board.folder(1) / "pids").write_text(
            f"{bystander.pid} {fences.start_time(bystander.pid)} another-boot\n"
        )
        ended = board.ask("clean", "2")[1][0]["ended"]
        bystander.kill()
    assert ended == []


def test_notes_that_are_none_are_passed_over(board: Board) -> None:
    boot = Path(fences.BOOT_ID).read_text().strip()
    (board.folder(1) / "pids").write_bytes(
        f"x y {boot}\n-1 0 {boot}\n1 0 {boot}\n{2**70} 1 {boot}\n\n".encode() + b"\0\xff" * 500
    )
    assert board.ask("clean", "2")[1][0]["ended"] == []


def test_another_run_waits_only_so_long_for_the_board(board: Board) -> None:
    import fcntl

    with (board.root / "agent.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert board.error()["message"] == "another run holds this board"


def test_a_fence_that_is_no_number_counts_as_none(board: Board) -> None:
    (board.root / "fence").write_text("seven\n")
    assert board.ask("clean", "1")[0] == 0
