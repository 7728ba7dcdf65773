"""A run that goes on by itself: its journal, what is streamed of it, and what becomes of its files."""

import contextlib
import hashlib
import os
import signal
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from boardagent import fences, protocol
from tests.boardagent.agents import (
    Agents,
    grandchild_of,
    has_ended,
    is_gone,
    journal_of,
    messages,
    result_of,
    run_folder,
    run_pid,
    wait_for,
    working,
)
from tests.memory import peak_kb

BOTH = ["plain", "dump"]


def started(agents: Agents, folder: Path) -> Path:
    """Start the run in the folder."""
    done = agents.do("start", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


def content(said: list[tuple[dict[str, Any], bytes]], entry: int) -> bytes:
    """The content of an entry's file, from its blocks."""
    pieces = [
        zlib.decompress(data) if message["method"] == "zlib" else data
        for message, data in said
        if message["event"] == "block" and message["entry"] == entry
    ]
    return b"".join(pieces)


def ties_of(pid: int) -> list[str]:
    """Pipes and sockets that the process holds."""
    held = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            held.append(str(path.readlink()))
    return [name for name in held if name.startswith(("pipe:", "socket:"))]


def test_start_returns_at_once(agents: Agents, tmp_path: Path) -> None:
    folder = started(agents, run_folder(tmp_path, 1))
    assert not has_ended(folder)


def test_a_run_started_again_is_the_same_run(agents: Agents, tmp_path: Path) -> None:
    folder = started(agents, run_folder(tmp_path, 1))
    pid = run_pid(folder)
    started(agents, folder)
    assert (run_pid(folder), fences.start_time(pid) is not None) == (pid, True)


def test_a_finished_run_is_not_executed_again(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working())
    folder = started(agents, run_folder(tmp_path, 1))
    result_of(folder)
    started(agents, folder)
    assert (tmp_path / "executions").read_text().split() == ["plain"]


def test_a_run_has_a_session_of_its_own(agents: Agents, tmp_path: Path) -> None:
    folder = started(agents, run_folder(tmp_path, 1))
    assert os.getsid(run_pid(folder)) == run_pid(folder)


def test_a_run_holds_nothing_of_the_link(agents: Agents, tmp_path: Path) -> None:
    """Once its child is started: starting one takes a pipe of its own for a moment."""
    folder = started(agents, run_folder(tmp_path, 1))
    assert wait_for(lambda: ties_of(run_pid(folder)) == [])


def test_the_journal_ends_with_the_result_and_the_end(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working())
    folder = started(agents, run_folder(tmp_path, 1, modes=BOTH))
    result_of(folder)
    last = journal_of(folder)[-2:]
    assert [(entry["event"], entry.get("name")) for entry in last] == [("file", "result.json"), ("end", None)]


def test_every_file_is_announced_with_its_hash(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working())
    folder = started(agents, run_folder(tmp_path, 1, modes=BOTH))
    result_of(folder)
    files = [entry for entry in journal_of(folder) if entry["event"] == "file"]
    found = [hashlib.sha256((folder / entry["name"]).read_bytes()).hexdigest() for entry in files]
    assert found == [entry["sha256"] for entry in files]


def test_the_result_names_files_as_the_journal_does(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working())
    folder = started(agents, run_folder(tmp_path, 1, modes=BOTH))
    result = result_of(folder)
    roles = {entry["role"]: entry["name"] for entry in journal_of(folder) if entry["event"] == "file"}
    assert (result["plain"]["outputs"], result["dump"]["file"]) == (roles["outputs"], roles["dump"])


def test_a_file_is_announced_while_its_mode_goes_on(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working(seconds=600))
    folder = started(agents, run_folder(tmp_path, 1))
    assert wait_for(lambda: any(entry["event"] == "file" for entry in journal_of(folder)))


def test_a_link_that_a_mode_leaves_is_not_followed(agents: Agents, tmp_path: Path) -> None:
    agents.npu('#!/bin/sh\nln -s /etc/passwd "$3/outputs.safetensors"\necho "{}" > "$3/report.json"\n')
    folder = started(agents, run_folder(tmp_path, 1))
    result_of(folder)
    assert [entry.get("role") for entry in journal_of(folder) if entry["event"] == "file"] == ["result"]


def test_too_little_disk_is_told_before_anything_is_executed(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working())
    folder = started(agents, run_folder(tmp_path, 1, disk_bytes=1 << 60))
    code = result_of(folder)["error"]["code"]
    assert (code, (tmp_path / "executions").exists()) == ("board:disk-full", False)


def test_attach_streams_everything(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working(size=1_000_000))
    folder = started(agents, run_folder(tmp_path, 1, modes=BOTH))
    said = messages(agents.do("attach", str(folder), "0", "0").stdout)
    entries = [message for message, _ in said if "entry" in message and message["event"] != "block"]
    assert [entry["entry"] for entry in entries] == list(range(len(journal_of(folder))))
    for entry in entries:
        if entry["event"] == "file":
            assert hashlib.sha256(content(said, entry["entry"])).hexdigest() == entry["sha256"]


def test_attach_goes_on_at_the_entry_and_byte_that_it_is_told(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working(size=1_000_000))
    folder = started(agents, run_folder(tmp_path, 1, modes=BOTH))
    result_of(folder)
    [number] = [n for n, entry in enumerate(journal_of(folder)) if entry.get("role") == "dump"]
    whole = (folder / journal_of(folder)[number]["name"]).read_bytes()
    said = messages(agents.do("attach", str(folder), str(number), "700000").stdout)
    assert content(said, number) == whole[700_000:]


def test_a_block_is_never_longer_than_the_protocol_says(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working(size=1_000_000))
    folder = started(agents, run_folder(tmp_path, 1, modes=BOTH))
    said = messages(agents.do("attach", str(folder), "0", "0").stdout)
    assert max(message.get("plain", 0) for message, _ in said) == protocol.MAX_BLOCK


def test_what_the_worker_has_is_deleted(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working())
    folder = started(agents, run_folder(tmp_path, 1, modes=BOTH))
    result_of(folder)
    names = [entry["name"] for entry in journal_of(folder) if entry["event"] == "file"]
    agents.do("attach", str(folder), str(len(journal_of(folder)) - 1), "0")
    assert [name for name in names if (folder / name).exists()] == ["result.json"]


def test_files_are_deleted_as_they_are_acknowledged(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working(seconds=600))
    folder = started(agents, run_folder(tmp_path, 1))
    attached = agents.start("attach", str(folder), "0", "0")
    assert attached.stdin is not None
    assert wait_for(lambda: any(entry["event"] == "file" for entry in journal_of(folder)))
    name = next(entry["name"] for entry in journal_of(folder) if entry["event"] == "file")
    attached.stdin.write(b'{"have": 2}\n')
    attached.stdin.flush()
    assert wait_for(lambda: not (folder / name).exists())


def test_a_beat_comes_when_nothing_else_does(agents: Agents, tmp_path: Path) -> None:
    folder = started(agents, run_folder(tmp_path, 1))
    attached = agents.start("attach", str(folder), "0", "0")
    assert attached.stdout is not None
    attached.stdout.readline()
    assert protocol.decode(attached.stdout.readline()) == {"event": "beat"}


def test_a_run_that_was_killed_is_gone(agents: Agents, tmp_path: Path) -> None:
    folder = started(agents, run_folder(tmp_path, 1))
    grandchild_of(folder)
    os.kill(run_pid(folder), signal.SIGKILL)
    done = agents.do("attach", str(folder), "0", "0")
    assert (done.returncode, messages(done.stdout)[-1][0]["event"]) == (protocol.EXIT_FAILED, "gone")


def test_a_forsaken_run_says_so(agents: Agents, tmp_path: Path) -> None:
    folder = started(agents, run_folder(tmp_path, 1, orphan_s=0.2))
    is_gone(run_pid(folder))
    gone = messages(agents.do("attach", str(folder), "0", "0").stdout)[-1][0]
    assert "nobody was attached" in gone["text"]


def test_a_forsaken_run_leaves_no_files(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working(seconds=600))
    folder = started(agents, run_folder(tmp_path, 1, orphan_s=0.5))
    is_gone(run_pid(folder))
    assert sorted(path.name for path in folder.iterdir()) == [
        "agent.log",
        "job.json",
        "journal.jsonl",
        "pids",
    ]


def test_a_run_somebody_is_attached_to_goes_on(agents: Agents, tmp_path: Path) -> None:
    folder = started(agents, run_folder(tmp_path, 1, orphan_s=2))
    attached = agents.start("attach", str(folder), "0", "0")
    assert attached.stdin is not None
    until = time.monotonic() + 5
    while time.monotonic() < until:
        attached.stdin.write(b'{"have": 0}\n')
        attached.stdin.flush()
        time.sleep(0.1)
    assert (fences.start_time(run_pid(folder)) is not None, attached.poll()) == (True, None)


def test_who_attaches_later_ends_who_was_attached_before(agents: Agents, tmp_path: Path) -> None:
    folder = started(agents, run_folder(tmp_path, 1))
    first = agents.start("attach", str(folder), "0", "0")
    assert first.stdout is not None
    first.stdout.readline()
    second = agents.start("attach", str(folder), "0", "0")
    assert second.stdout is not None
    second.stdout.readline()
    assert first.wait(5) == -signal.SIGKILL


def test_a_worker_that_says_nothing_is_given_up(agents: Agents, tmp_path: Path) -> None:
    folder = started(agents, run_folder(tmp_path, 1, orphan_s=1))
    attached = agents.start("attach", str(folder), "0", "0")
    assert attached.wait(10) == protocol.EXIT_FAILED


def test_a_worker_that_takes_nothing_is_given_up(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working(size=5_000_000))
    folder = started(agents, run_folder(tmp_path, 1, modes=BOTH, orphan_s=1))
    attached = agents.start("attach", str(folder), "0", "0")
    assert attached.wait(10) == protocol.EXIT_FAILED


def test_two_starts_at_once_are_one_run(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working(seconds=0.5))
    folder = run_folder(tmp_path, 1)
    both = [agents.start("start", str(folder)) for _ in range(2)]
    for process in both:
        process.communicate(timeout=10)
    result_of(folder)
    assert (tmp_path / "executions").read_text().split() == ["plain"]


def test_a_probe_tells_each_step(agents: Agents) -> None:
    agents.npu(working())
    said = messages(agents.do("probe").stdout)
    assert [(message.get("name"), message.get("ok")) for message, _ in said] == [
        ("library", True), ("load", True), ("version", True), (None, None),
    ]  # fmt: skip


def test_a_probe_of_an_npu_that_ends_without_a_word_says_so(agents: Agents) -> None:
    agents.npu("#!/bin/sh\necho no galcore >&2\nexit 1\n")
    step = messages(agents.do("probe").stdout)[-2][0]
    assert (step["ok"], "no galcore" in step["text"]) == (False, True)


@pytest.mark.parametrize("megabytes", [100])
def test_no_process_of_the_agent_needs_more_memory_for_a_larger_dump(
    agents: Agents, tmp_path: Path, megabytes: int
) -> None:
    agents.npu(working(size=megabytes << 20, source="/dev/zero"))
    folder = started(agents, run_folder(tmp_path, 1, modes=BOTH))
    attached = agents.start("attach", str(folder), "0", "0")
    peaks = {}
    assert attached.stdout is not None
    while attached.poll() is None and (attached.stdout.read(1 << 20)):
        for name, pid in (("run", run_pid(folder)), ("attach", attached.pid)):
            peaks[name] = max(peaks.get(name, 0), peak_kb(pid))
    assert 0 < max(peaks.values()) < 32 * 1024, peaks


def test_the_end_of_the_starting_process_does_not_touch_the_run(agents: Agents, tmp_path: Path) -> None:
    agents.npu(working(seconds=0.5))
    folder = run_folder(tmp_path, 1)
    starter = agents.start("start", str(folder))
    starter.communicate(timeout=10)
    with pytest.raises(ProcessLookupError):
        os.killpg(starter.pid, signal.SIGHUP)
    assert "error" not in result_of(folder)


def test_a_verb_that_is_none_is_usage(agents: Agents) -> None:
    done = agents.do("run", "folder")
    assert (done.returncode, b"attach" in done.stderr) == (2, True)
