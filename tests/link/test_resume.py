"""Links that break while a run goes on: the run is executed once, everything arrives whole, and nothing hangs."""

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.link.artifacts import make_job
from tests.link.board import QUICK, RunningBoard, running_board
from tests.link.conftest import KINDS, need_sshd
from tests.link.proxy import Proxy, proxy_to
from workers.errors import JobError, LeaseLost
from workers.link.results import RunResult
from workers.link.session import BoardSession

MB = 1024 * 1024
SOON = replace(QUICK, connect_s=2.0)
# Counts each execution, leaves the file "big" as its dump, and waits for the file "go" before that when told to.
NPU = """\
#!/bin/sh
board=$(dirname "$0")
echo "$1" >> "$board/executions"
while [ -e "$board/wait" ] && ! [ -e "$board/go" ]; do sleep 0.05; done
case $1 in
plain) cp "$board/outputs" "$3/part" && mv "$3/part" "$3/outputs.safetensors" ;;
dump) cp "$board/big" "$3/part" && mv "$3/part" "$3/layers.safetensors" ;;
esac
echo '{"init_us": 1, "iterations_us": [1, 1, 1, 1], "npu": {"simulated": true}}' > "$3/report.json"
"""
JOB = {"modes": ["plain", "dump"]}


def tensor_file(path: Path, kind: str, size: int) -> Path:
    """A file of one tensor of random bytes."""
    text = '{"__metadata__":{"layerwise":"%s"},"t":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}'
    header = (text % (kind, size, size)).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for start in range(0, size, MB):
            file.write(os.urandom(min(MB, size - start)))
    return path


@pytest.fixture(params=KINDS)
def counting_board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningBoard]:
    """A board of each kind whose NPU counts its executions and dumps 30 MB."""
    if request.param == "openssh":
        need_sshd()
    with running_board(tmp_path / "own", "--sshd", request.param) as found:
        tensor_file(found.folder / "outputs", "outputs/1", 100)
        tensor_file(found.folder / "big", "dump/1", 30 * MB)
        (found.folder / "npu").write_text(NPU)
        yield found


def executions(board: RunningBoard) -> list[str]:
    return (board.folder / "executions").read_text().split()


@contextlib.contextmanager
def session_through(board: RunningBoard, proxy: Proxy, **options: Any) -> Iterator[BoardSession]:
    """A session whose links all go through the proxy."""
    options = {"silence_s": 5.0, "resume_s": 20.0, **options}

    def connect() -> Any:
        return board.connect(port=proxy.port, patience=SOON)

    with connect() as link, BoardSession(link, board.workdir, reconnect=connect, **options) as session:
        yield session


def resumed(
    board: RunningBoard,
    files: dict[str, Path],
    into: Path,
    disturb: Callable[[Proxy, dict[str, Any]], None],
    **options: Any,
) -> RunResult:
    """A run during which `disturb` sees every event and does something to the link."""
    job = make_job(**{**JOB, **options.pop("job", {})})
    deadline_s = options.pop("deadline_s", 60.0)
    with proxy_to(board.port) as proxy, session_through(board, proxy, **options) as session:
        return session.run(
            job, files, into, deadline_s=deadline_s, fence=1, on_event=lambda event: disturb(proxy, event)
        )


def code_of(*arguments: Any, **options: Any) -> str:
    with pytest.raises(JobError) as caught:
        resumed(*arguments, **options)
    return caught.value.code


def same(board: RunningBoard, result: RunResult) -> bool:
    """Is the dump that came home the one the NPU left?"""
    assert isinstance(result.dump, Path)
    whole = (board.folder / "big").read_bytes()
    return hashlib.sha256(result.dump.read_bytes()).digest() == hashlib.sha256(whole).digest()


class Once:
    """Does something at the first event of a kind, and never again."""

    def __init__(self, wanted: Callable[[dict[str, Any]], bool], act: Callable[[Proxy], None]) -> None:
        self._wanted, self._act, self.is_done = wanted, act, False

    def __call__(self, proxy: Proxy, event: dict[str, Any]) -> None:
        if not self.is_done and self._wanted(event):
            self.is_done = True
            self._act(proxy)


def stage(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["event"] == "stage" and event["name"] == name


def block(number: int) -> Callable[[dict[str, Any]], bool]:
    """The block of this number, counted from 0."""
    seen = iter(range(10**9))
    return lambda event: event["event"] == "block" and next(seen) == number


BREAKS: dict[str, Callable[[Proxy], None]] = {
    "a cut": lambda proxy: proxy.cut(),
    "a reset": lambda proxy: proxy.cut(by_reset=True),
    "a cut and a while without any link": lambda proxy: _away(proxy, 1.5),
}
STAGES: dict[str, Callable[[], Callable[[dict[str, Any]], bool]]] = {
    "the normal execution": lambda: stage("plain"),
    "the first block": lambda: block(0),
    "the dump": lambda: block(40),
    "the last blocks": lambda: block(118),
}


def _away(proxy: Proxy, seconds: float) -> None:
    import threading

    proxy.is_refusing = True
    proxy.cut()
    timer = threading.Timer(seconds, lambda: setattr(proxy, "is_refusing", False))
    timer.daemon = True
    timer.start()


@pytest.mark.parametrize("where", STAGES)
@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_link_costs_nothing_but_time(
    counting_board: RunningBoard, files: dict[str, Path], into: Path, how: str, where: str
) -> None:
    once = Once(STAGES[where](), BREAKS[how])
    result = resumed(counting_board, files, into, once)
    assert (once.is_done, same(counting_board, result)) == (True, True)
    assert executions(counting_board) == ["plain", "dump"]


def test_ten_cuts_during_a_dump_resend_less_than_a_block_each(
    counting_board: RunningBoard, files: dict[str, Path], into: Path
) -> None:
    taken: list[int] = []  # bytes of blocks over each connection
    blocks = iter(range(10**9))

    def disturb(proxy: Proxy, event: dict[str, Any]) -> None:
        if event["event"] == "block":
            taken.extend([0] * (len(proxy.downs) - len(taken)))
            taken[-1] += event["bytes"]
            if next(blocks) == 4:
                proxy.cut_down_after, proxy.cuts_left = 2_500_000, 10

    with proxy_to(counting_board.port) as proxy, session_through(counting_board, proxy) as session:
        job = make_job(**JOB)
        result = session.run(
            job, files, into, deadline_s=120, fence=1, on_event=lambda event: disturb(proxy, event)
        )
        assert (proxy.cuts_left, same(counting_board, result)) == (0, True)
        came = list(proxy.downs)
    assert executions(counting_board) == ["plain", "dump"]
    assert sum(taken) == sum(path.stat().st_size for path in into.iterdir())  # no byte was taken twice
    connection = 100_000  # handshake, login, hello, the journal's lines and what encryption adds
    assert max(down - kept for down, kept in zip(came, taken, strict=True)) < 256 * 1024 + connection


def test_damage_on_the_way_is_a_broken_link_and_no_more(
    counting_board: RunningBoard, files: dict[str, Path], into: Path
) -> None:
    def damage(proxy: Proxy) -> None:
        proxy.corrupt_down_at = proxy.downs[-1] + 500_000

    once = Once(block(10), damage)
    assert same(counting_board, resumed(counting_board, files, into, once))


def test_a_stall_is_noticed_and_the_run_goes_on_over_a_new_link(
    counting_board: RunningBoard, files: dict[str, Path], into: Path
) -> None:
    def stall(proxy: Proxy) -> None:
        proxy.is_stalled = True

    def disturb(proxy: Proxy, event: dict[str, Any]) -> None:
        once(proxy, event)
        if once.is_done and event["event"] == "log" and "made anew" in event["text"]:
            proxy.is_stalled = False
            proxy.cut()

    once = Once(block(20), stall)
    result = resumed(counting_board, files, into, disturb, silence_s=1.0)
    assert (same(counting_board, result), executions(counting_board)) == (True, ["plain", "dump"])


def test_a_slow_link_is_slow_and_nothing_else(
    counting_board: RunningBoard, files: dict[str, Path], into: Path
) -> None:
    tensor_file(counting_board.folder / "big", "dump/1", 3 * MB)
    once = Once(stage("dump"), lambda proxy: setattr(proxy, "rate", 2_000_000))
    assert same(counting_board, resumed(counting_board, files, into, once))


def test_a_link_that_stays_away_ends_in_time(
    counting_board: RunningBoard, files: dict[str, Path], into: Path
) -> None:
    def away(proxy: Proxy) -> None:
        proxy.is_refusing = True
        proxy.cut()

    start = time.monotonic()
    assert code_of(counting_board, files, into, Once(block(5), away), resume_s=2.0) == "board:link-lost"
    assert time.monotonic() - start < 20


def test_a_link_that_swallows_everything_ends_in_time(
    counting_board: RunningBoard, files: dict[str, Path], into: Path
) -> None:
    start = time.monotonic()
    once = Once(block(5), lambda proxy: setattr(proxy, "is_stalled", True))
    code = code_of(counting_board, files, into, once, silence_s=1.0, resume_s=2.0)
    assert (code, time.monotonic() - start < 25) == ("board:link-lost", True)


def test_the_deadline_counts_while_the_link_is_away(
    counting_board: RunningBoard, files: dict[str, Path], into: Path
) -> None:
    def away(proxy: Proxy) -> None:
        proxy.is_refusing = True
        proxy.cut()

    (counting_board.folder / "wait").touch()
    once = Once(stage("plain"), away)
    assert code_of(counting_board, files, into, once, deadline_s=4.0) == "board:timed-out"


def test_without_a_way_to_connect_anew_the_link_is_lost(
    counting_board: RunningBoard, files: dict[str, Path], into: Path
) -> None:
    with proxy_to(counting_board.port) as proxy, counting_board.connect(port=proxy.port) as link:
        session, once = BoardSession(link, counting_board.workdir), Once(block(3), BREAKS["a cut"])
        with pytest.raises(JobError) as caught:
            session.run(
                make_job(**JOB),
                files,
                into,
                deadline_s=30,
                fence=1,
                on_event=lambda event: once(proxy, event),
            )
    assert caught.value.code == "board:link-lost"


def pids(board: RunningBoard) -> list[int]:
    """What the run on this board noted: the run itself first."""
    lines = (Path(board.workdir) / "run-1" / "pids").read_text().splitlines()
    return [int(line.split()[0]) for line in lines]


def test_a_run_that_is_killed_is_told(
    counting_board: RunningBoard, files: dict[str, Path], into: Path
) -> None:
    (counting_board.folder / "wait").touch()
    once = Once(stage("plain"), lambda proxy: os.kill(pids(counting_board)[0], signal.SIGKILL))
    assert code_of(counting_board, files, into, once) == "board:agent-died"


def test_a_frozen_run_ends_at_the_deadline(
    counting_board: RunningBoard, files: dict[str, Path], into: Path
) -> None:
    (counting_board.folder / "wait").touch()
    once = Once(stage("plain"), lambda proxy: os.kill(pids(counting_board)[0], signal.SIGSTOP))
    assert code_of(counting_board, files, into, once, deadline_s=4.0) == "board:timed-out"


def servers(board: RunningBoard) -> list[int]:
    """The processes of this board that speak SSH."""
    children = f"/proc/{board.process.pid}/task/{board.process.pid}/children"
    found = [int(pid) for pid in Path(children).read_text().split()]
    return [pid for pid in found if "sshd" in Path(f"/proc/{pid}/cmdline").read_text()]


@pytest.fixture
def sshd_board(tmp_path: Path) -> Iterator[RunningBoard]:
    """A counting board with the real sshd, a process a connection."""
    need_sshd()
    with running_board(tmp_path / "own", "--sshd", "openssh") as found:
        tensor_file(found.folder / "outputs", "outputs/1", 100)
        tensor_file(found.folder / "big", "dump/1", 30 * MB)
        (found.folder / "npu").write_text(NPU)
        yield found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_is_killed_or_frozen_costs_only_time(
    sshd_board: RunningBoard, files: dict[str, Path], into: Path, number: signal.Signals
) -> None:
    def hit(proxy: Proxy) -> None:
        for pid in servers(sshd_board):
            os.kill(pid, number)

    result = resumed(sshd_board, files, into, Once(block(20), hit), silence_s=1.5)
    assert (same(sshd_board, result), executions(sshd_board)) == (True, ["plain", "dump"])


def test_a_frozen_board_ends_in_time(
    counting_board: RunningBoard, files: dict[str, Path], into: Path
) -> None:
    start = time.monotonic()

    def freeze(proxy: Proxy) -> None:
        for pid in [*servers(counting_board), counting_board.process.pid]:
            os.kill(pid, signal.SIGSTOP)

    try:
        code = code_of(counting_board, files, into, Once(block(5), freeze), silence_s=1.0, resume_s=2.0)
    finally:
        counting_board.process.send_signal(signal.SIGCONT)
    assert (code, time.monotonic() - start < 30) == ("board:link-lost", True)


def test_who_cancels_while_the_link_is_away_is_heard(
    counting_board: RunningBoard, files: dict[str, Path], into: Path
) -> None:
    def disturb(proxy: Proxy, event: dict[str, Any]) -> None:
        if event["event"] == "block":
            proxy.is_refusing = True
            proxy.cut()
        elif event["event"] == "log" and "made anew" in event["text"]:
            raise LeaseLost

    with pytest.raises(LeaseLost):
        resumed(counting_board, files, into, disturb)


def test_a_newer_holder_is_noticed_after_a_broken_link(
    counting_board: RunningBoard, files: dict[str, Path], into: Path
) -> None:
    def take_over(proxy: Proxy) -> None:
        with counting_board.connect() as link:
            agent = next(Path(counting_board.workdir).glob("agent-*.pyz"))
            link.run(["python3", "-I", str(agent), "clean", "2"], deadline=time.monotonic() + 10)

    with pytest.raises(LeaseLost):
        resumed(counting_board, files, into, Once(block(5), take_over))
