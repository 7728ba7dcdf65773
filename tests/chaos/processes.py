"""Processes that the harness starts, kills and starts again; and a look at what runs below them."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dashboard.supervisor import kernel

ROOT = Path(__file__).resolve().parents[2]


class NotReady(Exception):
    """A process did not come up in time; the text holds the end of its log."""


@dataclass
class Process:
    """One program to keep running, in a session of its own, with a log; it dies with the harness."""

    name: str
    program: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    sign: str = ""  # what it writes when it is ready
    starts: int = 0
    _popen: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    _log_from: int = 0

    @property
    def pid(self) -> int:
        assert self._popen is not None
        return self._popen.pid

    def start(self) -> None:
        """Start it (again), without waiting."""
        parent = os.getpid()
        self._log_from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as out:
            self._popen = subprocess.Popen(
                list(self.program),
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=lambda: kernel.die_with(parent, signal.SIGKILL),  # noqa: PLW1509 - one thread
            )
        self.starts += 1

    def written(self) -> str:
        """What the present incarnation has written."""
        with self.log.open("rb") as file:
            file.seek(self._log_from)
            return file.read().decode(errors="replace")

    def wait_until_ready(self, seconds: float = 60.0) -> None:
        """Raises NotReady."""
        if not wait_until(lambda: self.sign in self.written() or not self.is_running, seconds):
            raise NotReady(f"{self.name} is not ready: {self.written()[-2000:]}")
        if not self.is_running:
            raise NotReady(f"{self.name} ended: {self.written()[-2000:]}")

    @property
    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def send(self, number: int) -> None:
        """Send it a signal; one that has ended already is fine."""
        if self._popen is not None:
            self._popen.send_signal(number)

    def end(self, number: int = signal.SIGTERM, patience_s: float = 15.0) -> float:
        """Ask it to end, kill it when it does not; how long it took in seconds."""
        since = time.monotonic()
        if self._popen is None:
            return 0.0
        self.send(number)
        try:
            self._popen.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        return time.monotonic() - since


def wait_until(is_so: Callable[[], object], seconds: float, pause_s: float = 0.05) -> bool:
    """Did it become so in time?"""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_so():
            return True
        time.sleep(pause_s)
    return bool(is_so())


def arguments(pid: int) -> list[str]:
    """The command line of a process, [] when it has gone."""
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def of_folder(folder: Path) -> dict[int, str]:
    """Living processes that have something to do with the folder: by argument, environment or working folder."""
    needle, found = re.compile(re.escape(os.fsencode(folder)) + rb"(?![\w.-])"), {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            told = (entry / "cmdline").read_bytes() + b"\0" + (entry / "environ").read_bytes()
            where = os.fsencode((entry / "cwd").readlink())
        except OSError:
            continue
        if needle.search(told) or needle.match(where):
            found[int(entry.name)] = " ".join(arguments(int(entry.name)))[:300]
    return found
