"""One process of the product: what it is (Service) and the life of its present incarnation (Running)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dashboard.supervisor import kernel
from dashboard.supervisor.logs import LogFile

ROOT = Path(__file__).resolve().parent.parent.parent
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0


@dataclass(frozen=True)
class Service:
    """A process to keep running.

    `is_ready` is asked again and again until it says yes; it gets what the process has written so far.
    `shared` are file descriptors the process inherits under the same numbers; `grace_s` is the time between
    being asked to end and being killed.
    """

    name: str
    program: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    is_ready: Callable[[str], bool] = lambda written: True
    ready_s: float = 120.0
    grace_s: float = 10.0
    shared: tuple[int, ...] = ()


class Running:
    """A service's present process, its log and its restarts."""

    def __init__(self, service: Service, log: LogFile, lock: int | None = None) -> None:
        self.service = service
        self.log = log
        self.was_ready = False
        self.restarts = 0
        self.next_start = 0.0
        self._lock = lock
        self._keeper: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    @property
    def is_started(self) -> bool:
        """Whether a process was started and its end has not been dealt with yet (see `plan_restart`)."""
        return self._keeper is not None

    @property
    def keeper(self) -> int:
        """The keeper's process id, 0 when there is none."""
        return self._keeper.pid if self._keeper else 0

    @property
    def process(self) -> int:
        """The id of the service's own process, the keeper's first child; 0 when there is none."""
        return min(kernel.children(self.keeper), default=0) if self._keeper else 0

    def start(self) -> None:
        """Start the keeper, and by it the process. The keeper shares the data folder's lock until its end."""
        self._started = time.monotonic()
        inherited = self.service.shared + ((self._lock,) if self._lock is not None else ())
        with self.log.open() as out:
            self._keeper = subprocess.Popen(
                [
                    sys.executable,
                    "-S",
                    "-m",
                    "dashboard.supervisor.keeper",
                    str(os.getpid()),
                    str(self.service.grace_s),
                    *self.service.program,
                ],
                cwd=ROOT,
                env={**os.environ, **self.service.environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=inherited,
            )

    def status(self) -> int | None:
        """How the process ended (128 + signal when by a signal), None while it runs."""
        return self._keeper.poll() if self._keeper else None

    def waited_s(self) -> float:
        """Seconds since the present process was started."""
        return time.monotonic() - self._started

    def plan_restart(self) -> float:
        """Set the time of the next start and return the pause, doubled until the process is steady."""
        if self.waited_s() > STEADY_S:
            self.restarts = 0
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**self.restarts)
        self.restarts += 1
        self.next_start = time.monotonic() + pause
        self._keeper = None
        return pause

    def send(self, number: signal.Signals) -> None:
        """Signal the keeper, which knows what to do with its process (see keeper.py)."""
        if self._keeper and self._keeper.poll() is None:
            self._keeper.send_signal(number)
