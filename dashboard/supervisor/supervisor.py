"""The loop that starts services in order, starts them again when they end, and stops them in reverse.

One thread only: the kernel ties the death signal of a child to the thread that started it.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType

from dashboard.supervisor import kernel
from dashboard.supervisor.logs import LogFile, Terminal
from dashboard.supervisor.service import Running, Service

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TICK_S = 0.05
SAY_AGAIN_S = 5.0
BURIAL_S = 1.0
KEEPER_GRACE_S = 12.0
TRIES_TO_START = 3


_Handler = Callable[[int, FrameType | None], object] | int | None


class StartFailed(Exception):
    """A service did not become ready; the text says which one and shows the end of its log."""


class Stopped(Exception):
    """Somebody asked the supervisor to stop."""


class Supervisor:
    """Runs services until told to stop. Use it as a context: on leaving it every process has ended."""

    def __init__(self, log_folder: Path, say: Callable[[str], None] = print, lock: int | None = None) -> None:
        self.services: list[Running] = []
        self._log_folder = log_folder
        self._say = say
        self._lock = lock
        self._stop_asked = False
        self._old_handlers: dict[signal.Signals, _Handler] = {}
        self._groups: list[list[Running]] = []
        self._tasks: list[Running] = []
        self._not_ours: set[int] = set()
        self._next_burial = 0.0

    def __enter__(self) -> "Supervisor":
        self._not_ours = kernel.children(os.getpid())
        kernel.adopt_orphans()
        for number in STOP_SIGNALS:
            self._old_handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        kernel.adopt_orphans(False)

    def start(self, *services: Service) -> list[Running]:
        """Start services side by side and wait until all are ready; raise StartFailed or Stopped."""
        started = [
            Running(service, LogFile(self._log_folder, service.name), self._lock) for service in services
        ]
        self.services.extend(started)
        self._groups.append(started)
        for running in started:
            running.start()
        since = said = time.monotonic()
        while waiting := [running for running in started if not running.was_ready]:
            self._tick()
            for running in waiting:
                self._look_whether_ready(running, since)
            if time.monotonic() - said > SAY_AGAIN_S:
                said = time.monotonic()
                self._say(f"  still waiting for {_names(waiting)} ({said - since:.0f} s)")
        return started

    def run_until_stopped(self) -> None:
        """Keep everything running; return when a stop is asked for."""
        try:
            while True:
                self._tick()
        except Stopped:
            return

    def run_for(self, seconds: float) -> None:
        """Keep everything running for a while; raise Stopped when a stop is asked for."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._tick()

    def run_once(self, name: str, program: list[str], environment: dict[str, str]) -> int:
        """Run one more program on this terminal, keeping the rest running; return its exit status."""
        service = Service(name, program, environment, grace_s=5.0)
        task = Running(service, Terminal(name), self._lock)
        self._tasks.append(task)
        task.start()
        try:
            while (status := task.status()) is None:
                self._tick()
            return status
        finally:
            self._end([task])
            self._tasks.remove(task)

    def stop(self) -> None:
        """End every service, what was started last first; another stop signal meanwhile kills without waiting."""
        self._stop_asked = False
        while self._groups:
            self._end(self._groups.pop())
        self.services.clear()
        self._bury_orphans()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop_asked = True

    def _tick(self) -> None:
        """One round: keep everything running; raise Stopped when a stop was asked for."""
        if self._stop_asked:
            raise Stopped
        for running in self.services:
            self._keep(running)
        if self._next_burial < time.monotonic():
            self._bury_orphans()
        time.sleep(TICK_S)

    def _keep(self, running: Running) -> None:
        """Start a service again when it has ended and its pause is over."""
        if not running.is_started:
            if running.next_start <= time.monotonic():
                running.start()
        elif (status := running.status()) is not None:
            self._bury_orphans()
            if not running.was_ready and running.restarts + 1 >= TRIES_TO_START:
                raise StartFailed(
                    f"{running.service.name} ended with status {status}.\n{running.log.last_lines()}"
                )
            pause = running.plan_restart()
            self._say(
                f"  {running.service.name} ended with status {status}; starting it again in {pause:g} s"
            )

    def _look_whether_ready(self, running: Running, since: float) -> None:
        """Ask once; raise StartFailed when the time for becoming ready is over."""
        name = running.service.name
        if not running.is_started:
            return
        if running.service.is_ready(running.log.written()):
            running.was_ready = True
            self._say(f"  {name} is ready ({time.monotonic() - since:.1f} s)")
        elif running.waited_s() > running.service.ready_s:
            limit = running.service.ready_s
            raise StartFailed(f"{name} was not ready after {limit:g} s.\n{running.log.last_lines()}")

    def _end(self, group: list[Running]) -> None:
        """Ask the keepers of a group to end it, press harder with time, and return when all of it has gone."""
        for running in group:
            running.send(signal.SIGTERM)
        asked = time.monotonic()
        while left := [running for running in group if running.is_started and running.status() is None]:
            for running in left:
                if time.monotonic() - asked > running.service.grace_s + KEEPER_GRACE_S:
                    running.send(signal.SIGKILL)
                elif self._stop_asked:
                    running.send(signal.SIGQUIT)
            time.sleep(TICK_S)

    def _bury_orphans(self) -> None:
        """Kill what a killed keeper left to us: all children but keepers and those we found."""
        self._next_burial = time.monotonic() + BURIAL_S
        ours = self._not_ours | {running.keeper for running in [*self.services, *self._tasks]}
        while orphans := kernel.children(os.getpid()) - ours:
            for orphan in orphans:
                kernel.kill(orphan, signal.SIGKILL)
                kernel.wait_for(orphan)


def _names(waiting: list[Running]) -> str:
    return ", ".join(running.service.name for running in waiting)
