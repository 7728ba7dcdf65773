"""How fast the link is, as ratios measured side by side: `python -m tests.bench.bench_link [--mb N] [--rounds N]`.

Files against `ssh host 'cat > f'` and `ssh host 'cat f'` (OpenSSH's client, same server, same file), commands
against 15 ms. Ours are verified by SHA-256; for a fetched file the hash is known before, as after a run. The ways
take turns, and the share is the median over the rounds, so that a busy moment hits both. A run's dump, streamed in
blocks, is compared with `ssh host 'cat f'` in the same way; with a dump of --dump-mb no process of the agent may need
more than 32 MB. Prints one JSON line; exit status 1 when a limit is missed.
"""

import argparse
import contextlib
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.dumps import DumpingBoard, own_peak_kb
from tests.link.board import RunningBoard, running_board
from tests.link.proxy import proxy_to
from workers.link.ssh import Patience, SshLink

LEAST_SHARE = 0.8
MOST_MS = 15.0
MOST_AGENT_MB = 32.0
SLOW = 5.0  # MB/s
LEAST_GAIN = 2.0
MB = 1024 * 1024


def seconds(act: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def client(board: RunningBoard, identity: Path) -> list[str]:
    """The OpenSSH client's argument list, up to the command."""
    return [
        "ssh", "-F", "none", "-i", str(identity), "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
        "-o", "UserKnownHostsFile=/dev/null", "-p", str(board.port), f"{board.ready['user']}@127.0.0.1",
    ]  # fmt: skip


def transfers(
    board: RunningBoard, link: SshLink, folder: Path, megabytes: int, rounds: int
) -> dict[str, float]:
    """Median MB/s of each way, and the median over the rounds of our share in OpenSSH's."""
    identity, source, back = folder / "id", folder / "source", folder / "back"
    identity.write_text(board.keys.private)
    identity.chmod(0o600)
    with source.open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(MB))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    there, ssh = str(folder / "there"), client(board, identity)

    def ssh_put() -> None:
        with source.open("rb") as file:
            subprocess.run([*ssh, f"cat > {there}"], stdin=file, check=True)

    def ssh_get() -> None:
        with back.open("wb") as file:
            subprocess.run([*ssh, f"cat {there}"], stdout=file, check=True)

    later = time.monotonic() + 600
    ways: dict[str, Callable[[], object]] = {
        "ssh_put": ssh_put,
        "put": lambda: link.put(source, there, deadline=later),
        "ssh_get": ssh_get,
        "get": lambda: link.get(there, back, deadline=later, max_bytes=megabytes * MB, sha256=digest),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(seconds(way))
    found = {f"{name}_mb_s": megabytes / statistics.median(took) for name, took in times.items()}
    for name in ("put", "get"):
        rounds_of_both = zip(times[f"ssh_{name}"], times[name], strict=True)
        found[f"{name}_share"] = statistics.median(theirs / ours for theirs, ours in rounds_of_both)
    return found


def streamed(
    board: RunningBoard, link: SshLink, folder: Path, megabytes: int, rounds: int
) -> dict[str, float]:
    """A dump as a run's worker takes it, against `cat`: median MB/s and the median share over the rounds."""
    ssh, times = client(board, folder / "id"), []
    dumping = DumpingBoard(board, link, megabytes)
    for _ in range(rounds):
        theirs = dumping.cat(ssh, folder / "back")
        with dumping.finished_run() as run:
            times.append((theirs, dumping.receive(run, folder / "into")[0]))
    return {
        "dump_mb_s": megabytes / statistics.median(ours for _, ours in times),
        "dump_share": statistics.median(theirs / ours for theirs, ours in times),
    }


def slow(board: RunningBoard, folder: Path, megabytes: int) -> dict[str, float]:
    """A dump of text, as the vendor's runtime leaves, over a link of 5 MB/s: how many times as fast as raw bytes."""
    with proxy_to(board.port) as proxy, board.connect(port=proxy.port, patience=Patience()) as link:
        dumping = DumpingBoard(board, link, megabytes, is_text=True)
        with dumping.finished_run() as run:
            proxy.rate = SLOW * MB
            took, _ = dumping.receive(run, folder / "into")
    return {"slow_link_gain": megabytes / took / SLOW}


def memory(board: RunningBoard, link: SshLink, folder: Path, megabytes: int) -> dict[str, float]:
    """Peak memory of the agent's processes for a large dump, and how much this process, a worker's part, grew."""
    before, dumping = own_peak_kb(), DumpingBoard(board, link, megabytes)
    with dumping.finished_run() as run:
        _, attached = dumping.receive(run, folder / "into")
    peaks = {"run": dumping.run_peak_kb, "attach": attached, "worker_growth": own_peak_kb() - before}
    return {f"{name}_peak_mb": kb / 1024 for name, kb in peaks.items()}


def measure(megabytes: int, rounds: int, dump_megabytes: int) -> dict[str, float]:
    """All figures of one run."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        board = stack.enter_context(running_board(folder / "board", "--sshd", "openssh"))
        link = stack.enter_context(board.connect(patience=Patience()))
        found = transfers(board, link, folder, megabytes, rounds)
        found |= streamed(board, link, folder, megabytes, rounds)
        found |= slow(board, folder, megabytes // 2)
        found |= memory(board, link, folder, dump_megabytes)
        later = time.monotonic() + 60
        commands = [seconds(lambda: link.run(["true"], deadline=later)) for _ in range(100)]
    found["command_ms"] = statistics.median(commands) * 1000
    return found


def main(arguments: list[str]) -> int:
    """1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dump-mb", type=int, default=1024)
    given = parser.parse_args(arguments)
    found = measure(given.mb, given.rounds, given.dump_mb)
    print(json.dumps({name: round(value, 2) for name, value in found.items()}))
    shares = min(found[f"{name}_share"] for name in ("put", "get", "dump"))
    memory_mb = max(found["run_peak_mb"], found["attach_peak_mb"])
    is_fast = shares >= LEAST_SHARE and found["slow_link_gain"] >= LEAST_GAIN
    kept = is_fast and found["command_ms"] < MOST_MS and memory_mb < MOST_AGENT_MB
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
