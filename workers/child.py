"""Running a program that may crash, hang, eat memory, fill the disk or be hostile, without harm to the
worker.

The program gets its own session, limits, an almost empty environment and, where the kernel allows it, no
network. Everything that it started is gone when `run_child` returns, and also when the worker dies (see
workers/guard.py).
"""

import contextlib
import functools
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workers.childlog import Channel

Reason = Literal["exited", "stopped", "timed-out", "silent", "memory", "disk", "processes", "abandoned"]
GUARD = Path(__file__).with_name("guard.py")
GRACE_SECONDS = 2.0
TICK_SECONDS = 0.1


@dataclass(frozen=True)
class Limits:
    """What a child may use: wall and CPU seconds, seconds without output, resident memory of all its
    processes, bytes on disk."""

    seconds: float = 1800
    silence_seconds: float = 600
    memory_mb: int = 8192
    file_mb: int = 8192
    processes: int = 64
    cpu_seconds: int | None = None  # per process; None: wall seconds times the processors
    network: bool = False


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status (None after a signal), the signal (None after an exit), and who
    ended it why.

    `reason` is "exited" when it ended by itself, even by a signal; every other reason is ours.
    """

    status: int | None
    signal: int | None
    reason: Reason


@functools.cache
def isolation() -> str:
    """What this machine allows, tried once: "namespaces" (no network, nothing survives) or
    "process-group" (no sockets but local ones, where the kernel filters calls)."""
    probe = [sys.executable, "-I", "-S", "-c", _PROBE, str(GUARD)]
    done = subprocess.run(probe, capture_output=True, timeout=30, check=False)
    return "namespaces" if done.returncode == 0 else "process-group"


_PROBE = """
import os, runpy, sys
guard = runpy.run_path(sys.argv[1])
if not guard["enter_namespaces"]():
    sys.exit(1)
pid = os.fork()
if pid == 0:
    os._exit(7 if os.getpid() == 1 else 1)
sys.exit(0 if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7 else 1)
"""


def run_child(
    argv: Sequence[str],
    *,
    folder: Path,
    limits: Limits,
    on_event: Callable[[dict[str, Any]], None],
    on_log: Callable[[str], None],
    should_stop: Callable[[], bool],
    env: Mapping[str, str] | None = None,
) -> Ended:
    """Run `argv` in `folder` under `limits` until it ends or must end; nothing of it is left when this
    returns.

    `should_stop` is asked about ten times a second. `env` is added to an otherwise almost empty environment.
    An exception of a callback ends the child and passes on.
    """
    return _Supervision(
        argv,
        folder,
        limits=limits,
        channel=Channel(on_event, on_log),
        should_stop=should_stop,
        env=env or {},
    ).run()


class _Supervision:
    """One child from start to end: reads its output, keeps time and disk, and asks the guard to stop it."""

    def __init__(
        self,
        argv: Sequence[str],
        folder: Path,
        *,
        limits: Limits,
        channel: Channel,
        should_stop: Callable[[], bool],
        env: Mapping[str, str],
    ) -> None:
        self.argv, self.folder, self.limits = [str(part) for part in argv], folder.resolve(), limits
        self.channel, self.should_stop, self.env = channel, should_stop, env
        self.reason: Reason = "exited"
        self.started = self.heard = time.monotonic()
        self.asked: float | None = None
        self.disk_checked = self.started

    def run(self) -> Ended:
        status_read, status_write = os.pipe()
        try:
            guard = self._start(status_write)
            os.close(status_write)
            try:
                return self._supervise(guard, status_read)
            finally:
                _put_down(guard)
        finally:
            os.close(status_read)

    def _start(self, status_fd: int) -> subprocess.Popen[bytes]:
        cpu = self.limits.cpu_seconds or int(self.limits.seconds * (os.cpu_count() or 1)) + 1
        config = {
            "argv": self.argv,
            "status_fd": status_fd,
            "memory_mb": self.limits.memory_mb,
            "file_mb": self.limits.file_mb,
            "processes": self.limits.processes,
            "cpu_seconds": cpu,
            "offline": not self.limits.network,
            "namespaces": not self.limits.network and isolation() == "namespaces",
        }
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), json.dumps(config)],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(status_fd,),
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        home = str(self.folder)
        base = {
            "PATH": os.defpath,
            "HOME": home,
            "TMPDIR": home,
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return base | dict(self.env)

    def _supervise(self, guard: subprocess.Popen[bytes], status_read: int) -> Ended:
        assert guard.stdout is not None
        status = b""
        with selectors.DefaultSelector() as selector:
            selector.register(guard.stdout, selectors.EVENT_READ)
            selector.register(status_read, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(TICK_SECONDS):
                    data = os.read(key.fd, 1 << 20)
                    if not data:
                        selector.unregister(key.fileobj)
                    elif key.fd == status_read:
                        status += data
                    else:
                        self.heard = time.monotonic()
                        self.channel.feed(data)
                if not self._keep_limits(guard):
                    break
        self.channel.close()
        return self._ended(status)

    def _keep_limits(self, guard: subprocess.Popen[bytes]) -> bool:
        """Ask the guard to end the child when it must; False when even the guard does not answer."""
        now = time.monotonic()
        if self.asked is None:
            reason = self._reason_to_stop(now)
            if reason is not None:
                self.reason, self.asked = reason, now
                _tell(guard, b"term\n")
        elif now - self.asked > GRACE_SECONDS:
            _tell(guard, b"kill\n")
            return now - self.asked < GRACE_SECONDS + 10
        return True

    def _reason_to_stop(self, now: float) -> Reason | None:
        if self.should_stop():
            return "stopped"
        if now - self.started > self.limits.seconds:
            return "timed-out"
        if now - self.heard > self.limits.silence_seconds:
            return "silent"
        if now - self.disk_checked > 0.5:
            used = used_bytes(self.folder)
            # Looking at very many files takes time itself: look less often then.
            self.disk_checked = time.monotonic() + 5 * (time.monotonic() - now)
            if used > self.limits.file_mb << 20:
                return "disk"
        return None

    def _ended(self, status: bytes) -> Ended:
        try:
            report = json.loads(status)
        except ValueError:
            report = {"status": -1, "reason": "abandoned"}  # Somebody killed the guard.
        reason = self.reason if self.reason != "exited" else report["reason"]
        if report["status"] < 0:
            return Ended(None, 9, reason)
        code = os.waitstatus_to_exitcode(report["status"])
        return Ended(code, None, reason) if code >= 0 else Ended(None, -code, reason)


def used_bytes(folder: Path) -> int:
    """Bytes that the files below `folder` take on disk (holes do not count); links are not followed."""
    total = 0
    pending = [str(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue  # The child may delete what is being looked at.
    return total


def _tell(guard: subprocess.Popen[bytes], command: bytes) -> None:
    assert guard.stdin is not None
    try:
        guard.stdin.write(command)
        guard.stdin.flush()
    except OSError:
        pass  # It has ended already.


def _put_down(guard: subprocess.Popen[bytes]) -> None:
    """End the guard, which ends everything below it. Closing its input is enough; the kill is for a guard
    that is stuck."""
    assert guard.stdin is not None and guard.stdout is not None
    with contextlib.suppress(OSError):
        guard.stdin.close()
    guard.stdout.close()
    try:
        guard.wait(timeout=8)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()
