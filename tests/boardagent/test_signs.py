"""Signs of life: what the run hears of its child, and when it calls that silence."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from boardagent import children, signs

PATIENCE_S = 1.5
SLEEPING = ["sleep", "600"]
BUSY = ["sh", "-c", "while :; do :; done"]
GIVING = (
    "from boardagent import signs; import time; signs.give(); print('begun', flush=True); time.sleep(600)"
)
Begin = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def listener() -> Iterator[signs.Listener]:
    """An impatient listener."""
    found = signs.Listener(PATIENCE_S)
    yield found
    found.close()


@pytest.fixture
def begin(listener: signs.Listener) -> Iterator[Begin]:
    """Begins a child that may give signs."""
    begun: list[subprocess.Popen[bytes]] = []

    def begin(command: Sequence[str], **options: int) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, signs.VARIABLE: str(listener.given)}
        child = subprocess.Popen(command, env=environment, pass_fds=[listener.given], **options)
        begun.append(child)
        listener.close_given()
        return child

    yield begin
    for child in begun:
        child.kill()
        child.communicate()


def giving(begin: Begin) -> "subprocess.Popen[bytes]":
    """A child that gives signs, once it does."""
    child = begin([sys.executable, "-c", GIVING], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"begun\n"
    return child


def is_silent(listener: signs.Listener, child: "subprocess.Popen[bytes]", seconds: float = 2.5) -> bool:
    """Whether the listener calls the child silent while it listens for so long."""
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            listener.listen(child.pid)
            time.sleep(0.02)
    except signs.Silent:
        return True
    return False


def test_a_child_that_gives_signs_is_not_silent(listener: signs.Listener, begin: Begin) -> None:
    assert not is_silent(listener, giving(begin))


def test_a_child_that_never_begins_to_give_signs_is_silent(listener: signs.Listener, begin: Begin) -> None:
    assert is_silent(listener, begin(SLEEPING), 20)


def test_a_child_that_computes_without_a_sign_is_not_silent(listener: signs.Listener, begin: Begin) -> None:
    assert not is_silent(listener, begin(BUSY))


def test_a_stopped_child_is_silent(listener: signs.Listener, begin: Begin) -> None:
    child = giving(begin)
    child.send_signal(signal.SIGSTOP)
    assert is_silent(listener, child, 20)


def test_what_the_kernel_says_of_a_stopped_child_is_told(begin: Begin) -> None:
    child = begin(SLEEPING)
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    assert signs.state_of(child.pid) == "it is stopped"


def test_time_in_which_nobody_listened_is_not_held_against_the_child(
    listener: signs.Listener, begin: Begin
) -> None:
    child = begin(SLEEPING)
    assert not is_silent(listener, child, 0.7)
    time.sleep(2 * PATIENCE_S)
    listener.listen(child.pid)  # raises where it does


def test_a_child_has_its_signs_to_itself(tmp_path: Path) -> None:
    """What it starts inherits no descriptor."""
    script = "from boardagent import signs; import os; signs.give(); os.system('ls -l /proc/self/fd')"
    command = [sys.executable, "-c", script]
    listener = signs.Listener()
    ended = children.run_child(
        command, str(tmp_path), environment={"PYTHONPATH": str(Path.cwd())}, started=lambda pid: None,
        watch=lambda: None, listener=listener,
    )  # fmt: skip
    assert ("/log" in ended.tail, "pipe:" in ended.tail) == (True, False)


def test_a_silent_child_is_ended(tmp_path: Path) -> None:
    pids: list[int] = []
    with pytest.raises(signs.Silent):
        children.run_child(
            SLEEPING, str(tmp_path), environment={}, started=pids.append, watch=lambda: None,
            listener=signs.Listener(PATIENCE_S),
        )  # fmt: skip
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_listener_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    children.run_child(
        ["true"], str(tmp_path), environment={}, started=lambda pid: None, watch=lambda: None,
        listener=signs.Listener(),
    )  # fmt: skip
    assert len(list(Path("/proc/self/fd").iterdir())) == before
