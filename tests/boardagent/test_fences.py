"""Who may use the board: the newest fence, alone; what older ones left running is ended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from boardagent import fences, protocol

ROOT = Path(protocol.__file__).parent.parent


def run_folder(root: Path, fence: int, **changes: object) -> Path:
    folder = root / f"run-{fence}"
    folder.mkdir()
    for name in ("a.onnx", "i.safetensors"):
        (folder / name).write_bytes(b"x")
    job = {"schema": 1, "kind": "run", "fence": fence, "artifact": "a.onnx", "inputs": "i.safetensors",
           "npu": "sim", "modes": ["plain"], "deadline_s": 60, **changes}  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts the real agent on this machine; its NPU sleeps. What still runs at the end is killed."""
    npu = tmp_path / "npu"
    npu.write_text("#!/bin/sh\nsleep 600 & echo $! > $3/grandchild; wait\n")
    npu.chmod(0o755)
    started: list[subprocess.Popen[bytes]] = []

    def agent(*verb: str) -> "subprocess.Popen[bytes]":
        environment = {
            **os.environ,
            "LAYERWISE_SIM_NPU": json.dumps([str(npu)]),
            "LAYERWISE_ROOT": str(tmp_path),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "boardagent", *verb],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        started.append(process)
        return process

    yield agent
    for process in started:
        process.kill()
        process.communicate()


def grandchild_of(folder: Path) -> int:
    """The pid of what the sleeping NPU started, once it did."""
    path = folder / "plain" / "grandchild"
    until = time.monotonic() + 10
    while not (path.exists() and path.read_text().strip()) and time.monotonic() < until:
        time.sleep(0.02)
    return int(path.read_text())


def is_gone(pid: int, seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while fences.start_time(pid) is not None and time.monotonic() < until:
        time.sleep(0.02)
    return fences.start_time(pid) is None


Start = Callable[..., "subprocess.Popen[bytes]"]


def test_an_older_fence_is_refused(start: Start) -> None:
    start("clean", "7").communicate(timeout=10)
    older = start("clean", "6")
    older.communicate(timeout=10)
    assert older.returncode == protocol.EXIT_STALE_FENCE


def test_an_older_run_is_refused(start: Start, tmp_path: Path) -> None:
    start("clean", "7").communicate(timeout=10)
    older = start("run", str(run_folder(tmp_path, 6)))
    older.communicate(timeout=10)
    assert older.returncode == protocol.EXIT_STALE_FENCE


def test_a_newer_fence_ends_the_run_of_an_older_one(start: Start, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1)
    older = start("run", str(folder))
    grandchild_of(folder)
    start("clean", "2").communicate(timeout=10)
    assert older.wait(5) == -signal.SIGKILL


def test_a_newer_fence_ends_what_the_older_run_started(start: Start, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1)
    start("run", str(folder))
    pid = grandchild_of(folder)
    start("clean", "2").communicate(timeout=10)
    assert is_gone(pid)


def test_a_killed_agent_leaves_something_that_the_next_one_ends(start: Start, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1)
    agent = start("run", str(folder))
    pid = grandchild_of(folder)
    agent.kill()
    agent.wait(5)
    start("clean", "2").communicate(timeout=10)
    assert is_gone(pid)


def test_an_agent_asked_to_end_takes_its_children_along(start: Start, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1)
    agent = start("run", str(folder))
    pid = grandchild_of(folder)
    agent.terminate()
    assert is_gone(pid)


def test_an_agent_nobody_listens_to_ends(start: Start, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1)
    agent = start("run", str(folder))
    pid = grandchild_of(folder)
    assert agent.stdout is not None
    agent.stdout.close()
    agent.stdout = None
    assert is_gone(pid)


def test_the_agents_own_deadline_ends_its_children(start: Start, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1, deadline_s=1)
    agent = start("run", str(folder))
    pid = grandchild_of(folder)
    agent.communicate(timeout=10)
    assert is_gone(pid)


def test_the_deadline_is_told_in_the_result(start: Start, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1, deadline_s=0.3)
    start("run", str(folder)).communicate(timeout=10)
    assert json.loads((folder / "result.json").read_text())["error"]["code"] == "board:timed-out"


def test_a_finished_run_gives_the_same_answer_again(start: Start, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1, deadline_s=0.3)
    first = start("run", str(folder)).communicate(timeout=10)[0].splitlines()[-1]
    assert start("run", str(folder)).communicate(timeout=10)[0].splitlines()[-1] == first


@pytest.mark.parametrize("changes", [{"artifact": "../a"}, {"modes": ["fast"]}, {"schema": 2}, {"modes": []}])
def test_a_job_that_is_none_is_refused(start: Start, tmp_path: Path, changes: dict[str, object]) -> None:
    agent = start("run", str(run_folder(tmp_path, 1, **changes)))
    agent.communicate(timeout=10)
    assert agent.returncode == protocol.EXIT_FAILED


def test_a_recycled_pid_is_left_alone(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    (folder / "pids").write_text(f"{os.getppid()} 1 {boot}\n")
    assert fences.end_leftovers(str(tmp_path), 1) == []


def test_pids_of_before_a_reboot_are_left_alone(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as bystander:
        (folder / "pids").write_text(f"{bystander.pid} {fences.start_time(bystander.pid)} another-boot\n")
        ended = fences.end_leftovers(str(tmp_path), 1)
        bystander.kill()
    assert ended == []


def test_only_one_run_holds_the_board(tmp_path: Path) -> None:
    with (
        fences.one_run(str(tmp_path)),
        pytest.raises(TimeoutError),
        fences.one_run(str(tmp_path), patience_s=0.1),
    ):
        pass
