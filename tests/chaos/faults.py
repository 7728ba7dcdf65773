"""The faults, seeded: each a function that strikes if it finds a target, and says what it hit.

A toolkit's process is killed at most once in a job: one that dies twice counts as crashing by itself, which is how
the product is meant to tell the two apart (workers/lifecycle.py, explain).
"""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kombu.exceptions import OperationalError

from dashboard.celery import app
from dashboard.dispatch import publish
from dashboard.jobs.models import kinds
from dashboard.supervisor import kernel
from tests.chaos.processes import Process
from tests.chaos.settings import TIMES
from tests.chaos.stack import Stack
from tests.chaos.victims import Victim, job_of, running_in, toolkit_job

LEASE = float(TIMES["LAYERWISE_LEASE_SECONDS"])
REDIS_DOWN_S = 3.0
DOUBLED_ROWS = 30


@dataclass(frozen=True)
class Struck:
    """One fault that happened: when (monotonic), what it hit, and the running jobs that it took with it."""

    kind: str
    at: float
    target: str
    jobs: tuple[Victim, ...] = ()


@dataclass
class Injector:
    """Knows the stack and what was hit before."""

    stack: Stack
    random: random.Random
    killed_toolkits: set[str] = field(default_factory=set)
    orphans: set[int] = field(default_factory=set)  # pool processes whose worker was killed
    _due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _stopped: set[str] = field(default_factory=set)

    def strike(self, kind: str) -> Struck | None:
        """Do one fault; None when there is no target right now."""
        return KINDS[kind](self)

    def tick(self) -> None:
        """What was put off: waking stopped workers, starting Redis again; and restarts of what has ended."""
        now = time.monotonic()
        for at, act in [each for each in self._due if each[0] <= now]:
            self._due.remove((at, act))
            act()
        for process in self.stack.processes:
            if not process.is_running and process.name not in self._stopped:
                process.start()

    def finish(self) -> None:
        """Undo at once what is put off."""
        for _, act in self._due:
            act()
        self._due.clear()

    def __post_init__(self) -> None:
        app.conf.broker_url = self.stack.redis_url  # the harness was set up before there was a Redis

    # the kinds

    def kill_worker(self) -> Struck | None:
        worker = self._worker()
        if worker is None:
            return None
        pool = sorted(kernel.children(worker.pid))
        hit = running_in(pool)
        worker.end(signal.SIGKILL)
        self.orphans.update(pool)
        worker.start()
        return Struck("worker killed", time.monotonic(), worker.name, hit)

    def kill_pool_process(self) -> Struck | None:
        """A pool process that does a job, else none."""
        pool = [pid for worker in self.stack.workers for pid in kernel.children(worker.pid)]
        busy = [pid for pid in pool if running_in([pid])]
        if not busy:
            return None
        pid = self.random.choice(sorted(busy))
        hit = running_in([pid])
        kernel.kill(pid, signal.SIGKILL)
        return Struck("pool process killed", time.monotonic(), str(pid), hit)

    def kill_toolkit(self) -> Struck | None:
        """The program that a guard watches, in a job whose toolkit was not killed before."""
        below = [pid for worker in self.stack.workers for pid in kernel.descendants(worker.pid)]
        found = [(pid, job) for pid in below if (job := toolkit_job(pid)) and job not in self.killed_toolkits]
        if not found:
            return None
        pid, job = self.random.choice(sorted(found))
        word, row, attempt = job_of(job)
        kernel.kill(pid, signal.SIGKILL)
        self.killed_toolkits.add(job)
        hit = tuple((kind, row, attempt) for kind in kinds() if kind.kind == word)
        return Struck("toolkit killed", time.monotonic(), f"{job} ({attempt})", hit)

    def kill_dispatcher(self) -> Struck | None:
        dispatcher = self.random.choice(self.stack.dispatchers)
        dispatcher.end(signal.SIGKILL)
        dispatcher.start()
        return Struck("dispatcher killed", time.monotonic(), dispatcher.name)

    def flush_redis(self) -> Struck | None:
        if "redis" in self._stopped:
            return None
        with self.stack.client() as client:
            client.flushall()
        return Struck("Redis FLUSHALL", time.monotonic(), "redis")

    def kill_redis(self) -> Struck | None:
        """Nothing of it is on disk; it comes back after some seconds."""
        if "redis" in self._stopped:
            return None
        self._stopped.add("redis")
        self.stack.redis.end(signal.SIGKILL)
        down = self.random.uniform(0, REDIS_DOWN_S)
        self._later(down, lambda: self._start(self.stack.redis))
        return Struck("Redis killed", time.monotonic(), f"down for {down:.1f} s")

    def stop_worker(self) -> Struck | None:
        """SIGSTOP of a worker and its pool until after its leases have ended, preferably while it works."""
        worker = self._worker()
        if worker is None:
            return None
        pool = sorted(kernel.children(worker.pid))
        hit = running_in(pool)
        if not hit:
            return None
        family = [worker.pid, *pool]
        for pid in family:
            kernel.kill(pid, signal.SIGSTOP)
        self._stopped.add(worker.name)

        def wake() -> None:
            for pid in family:
                kernel.kill(pid, signal.SIGCONT)
            self._stopped.discard(worker.name)

        self._later(LEASE + self.random.uniform(1.5, 3), wake)
        return Struck("worker stopped past its lease", time.monotonic(), worker.name, hit)

    def double_messages(self) -> Struck | None:
        """Three more messages for rows in whatever state."""
        if "redis" in self._stopped:
            return None
        rows = [
            job
            for kind in kinds()
            for job in kind._default_manager.defer("log").order_by("-pk")[:DOUBLED_ROWS]
        ]
        chosen = self.random.sample(rows, min(len(rows), DOUBLED_ROWS))
        try:
            for job in chosen * 3:
                publish(job)
        except (OperationalError, OSError):
            return None  # Redis has just been killed
        return Struck("messages doubled", time.monotonic(), f"{len(chosen)} rows three times")

    # parts

    def _worker(self) -> Process | None:
        able = [
            worker for worker in self.stack.workers if worker.name not in self._stopped and worker.is_running
        ]
        able = [worker for worker in able if worker.sign in worker.written()]
        return self.random.choice(able) if able else None

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self._due.append((time.monotonic() + seconds, act))

    def _start(self, process: Process) -> None:
        process.start()
        self._stopped.discard(process.name)


KINDS: dict[str, Callable[[Injector], Struck | None]] = {
    "worker": Injector.kill_worker,
    "pool": Injector.kill_pool_process,
    "toolkit": Injector.kill_toolkit,
    "dispatcher": Injector.kill_dispatcher,
    "flush": Injector.flush_redis,
    "redis": Injector.kill_redis,
    "stop": Injector.stop_worker,
    "doubled": Injector.double_messages,
}


def plan(faults: int, chance: random.Random) -> list[str]:
    """Every kind about equally often, in random order."""
    each = [kind for _ in range(faults // len(KINDS) + 1) for kind in KINDS][: max(faults, len(KINDS))]
    chance.shuffle(each)
    return each
