"""Who may use the board: the newest fence, alone; what older ones left running is ended."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from boardagent import fences, protocol
from tests.boardagent.agents import Agents, grandchild_of, is_gone, result_of, run_folder, run_pid


def test_an_older_fence_is_refused(agents: Agents) -> None:
    agents.do("clean", "7")
    assert agents.do("clean", "6").returncode == protocol.EXIT_STALE_FENCE


def test_an_older_run_is_refused(agents: Agents, tmp_path: Path) -> None:
    agents.do("clean", "7")
    assert agents.do("start", str(run_folder(tmp_path, 6))).returncode == protocol.EXIT_STALE_FENCE


def test_a_newer_fence_ends_the_run_of_an_older_one(agents: Agents, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1)
    agents.do("start", str(folder))
    pid = run_pid(folder)
    agents.do("clean", "2")
    assert is_gone(pid)


def test_a_newer_fence_ends_what_the_older_run_started(agents: Agents, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1)
    agents.do("start", str(folder))
    pid = grandchild_of(folder)
    agents.do("clean", "2")
    assert is_gone(pid)


def test_a_newer_fence_ends_who_is_attached_to_an_older_run(agents: Agents, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1)
    agents.do("start", str(folder))
    attached = agents.start("attach", str(folder), "0", "0")
    assert attached.stdout is not None
    attached.stdout.readline()
    agents.do("clean", "2")
    assert attached.wait(5) == -signal.SIGKILL


def test_a_killed_run_leaves_nothing_behind(agents: Agents, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1)
    agents.do("start", str(folder))
    pid = grandchild_of(folder)
    os.kill(run_pid(folder), signal.SIGKILL)
    agents.do("clean", "2")
    assert is_gone(pid)


def test_a_run_asked_to_end_takes_its_children_along(agents: Agents, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1)
    agents.do("start", str(folder))
    pid = grandchild_of(folder)
    os.kill(run_pid(folder), signal.SIGTERM)
    assert is_gone(pid)


def test_a_run_nobody_is_attached_to_ends_itself(agents: Agents, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1, orphan_s=0.5)
    agents.do("start", str(folder))
    assert is_gone(grandchild_of(folder))


def test_the_agents_own_deadline_ends_its_children(agents: Agents, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1, deadline_s=1)
    agents.do("start", str(folder))
    assert is_gone(grandchild_of(folder))


def test_the_deadline_is_told_in_the_result(agents: Agents, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1, deadline_s=0.3)
    agents.do("start", str(folder))
    assert result_of(folder)["error"]["code"] == "board:timed-out"


@pytest.mark.parametrize(
    "changes",
    [
        {"artifact": "../a"}, {"modes": ["fast"]}, {"schema": 1}, {"modes": []}, {"modes": ["plain", "plain"]},
        {"modes": 5}, {"deadline_s": "soon"},
    ],
)  # fmt: skip
def test_a_job_that_is_none_is_refused(agents: Agents, tmp_path: Path, changes: dict[str, object]) -> None:
    done = agents.do("start", str(run_folder(tmp_path, 1, **changes)))
    assert done.returncode == protocol.EXIT_FAILED


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
