"""One run of the harness from start to report: feed work, strike, watch, wait for the end, verify."""

import argparse
import json
import platform
import random
import signal
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from dashboard.projects.models import Project
from tests.chaos.faults import Injector, Struck, plan
from tests.chaos.processes import of_folder, wait_until
from tests.chaos.stack import Stack
from tests.chaos.verify import Findings, verify
from tests.chaos.watch import Watch
from tests.chaos.work import JOBS_PER_LEG, Work, ended_jobs, jobs

TICK_S = 0.1
OPEN_LEGS = 16  # enough that every kind of job is always under way
STUCK_S = 60.0
LAST_FAULT_AT = 0.75  # of the jobs: what the faults did must still be seen to heal


class Run:
    """State of one run."""

    def __init__(self, given: argparse.Namespace, stack: Stack) -> None:
        self.given, self.stack = given, stack
        chance = random.Random(given.seed)
        self.injector = Injector(stack, chance)
        self.watch = Watch()
        self.work = Work.begin()
        self.plan = plan(given.faults, chance) if given.faults else []
        if given.kinds:
            self.plan = [kind for kind in self.plan if kind in given.kinds.split(",")]
        self.struck: list[Struck] = []
        self.boards = [self.work.register(board) for board in stack.boards]
        self._progress = (time.monotonic(), 0)
        self._said = 0.0
        self.restarts = 0

    def go(self) -> None:
        """Until all is done, or nothing has moved for too long."""
        last = len(self.boards) * JOBS_PER_LEG
        while not self._is_over(self.given.jobs - last):
            is_enough = self.work.expected_jobs >= self.given.jobs - last and self._has_struck_all()
            if not is_enough and self.work.open_legs < OPEN_LEGS:
                self.work.ask()
            self._turn()
        self.injector.finish()
        self._progress = (time.monotonic(), ended_jobs())
        for board in self.boards:  # every board can be used, and leaves nothing of interrupted runs behind
            self.work.ask(("direct",), board)
        while not self._is_over(self.work.expected_jobs):
            self._turn()

    def _turn(self) -> None:
        self.injector.tick()
        share = len(self.struck) / max(1, len(self.plan)) * LAST_FAULT_AT
        if self.plan and len(self.struck) < len(self.plan) and ended_jobs() >= share * self.given.jobs:
            self._strike()
        self.watch.look()
        self._say()
        time.sleep(TICK_S)

    def _strike(self) -> None:
        """The next kind of the plan that finds a target; a kind without one comes later."""
        ahead = self.plan[len(self.struck) :]
        for number, kind in enumerate(ahead):
            if struck := self.injector.strike(kind):
                ahead.insert(0, ahead.pop(number))
                self.plan[len(self.struck) :] = ahead
                self.struck.append(struck)
                self.watch.note(struck)
                return

    def _is_over(self, wanted: int) -> bool:
        ended = ended_jobs()
        if ended != self._progress[1]:
            self._progress = (time.monotonic(), ended)
        if time.monotonic() - self._progress[0] > STUCK_S:
            for worker in self.stack.workers:
                worker.send(signal.SIGUSR1)  # Celery writes the stacks of its threads into the log
            time.sleep(2)
            return True
        asked = self.work.expected_jobs
        return asked >= wanted and ended >= asked and self._has_struck_all()

    def _has_struck_all(self) -> bool:
        """A fault that finds no target (a toolkit when only runs are left) waits for more work."""
        return len(self.struck) == len(self.plan)

    def _say(self) -> None:
        if time.monotonic() - self._said > 10:
            self._said = time.monotonic()
            print(
                f"  {ended_jobs()} of {self.given.jobs} jobs, {len(self.struck)} of {len(self.plan)} faults",
                flush=True,
            )


def run(given: argparse.Namespace, folder: Path, environment: dict[str, str]) -> bool:
    """Is all well?"""
    call_command("migrate", interactive=False, verbosity=0)
    if Project.objects.exists():
        raise SystemExit("This database is in use; chaos wants one of its own.")
    since = time.monotonic()
    with Stack(folder, environment, dispatchers=given.dispatchers) as stack:
        print(
            f"seed {given.seed}: {given.jobs} jobs, {given.faults} faults, {connection.vendor}, {folder}",
            flush=True,
        )
        one = Run(given, stack)
        one.go()
        seconds = time.monotonic() - since
        found = verify(one.work, stack)
        found.left_behind += _orphans(one)
    found.held += one.watch.violations
    wait_until(lambda: not of_folder(folder), 10)
    found.left_behind += [
        f"process {pid} after the end: {command}" for pid, command in of_folder(folder).items()
    ]
    report(one, found, seconds)
    return not found.all()


def _orphans(one: Run) -> list[str]:
    """Pool processes that outlived the worker that was killed over them."""
    alive = one.injector.orphans & set(of_folder(one.stack.folder))
    return [f"pool process {pid} outlived its worker" for pid in sorted(alive)]


def report(one: Run, found: Findings, seconds: float) -> None:
    """The table for people, then one line for programs."""
    kinds = Counter(struck.kind for struck in one.struck)
    watch = one.watch
    print(f"\n{'fault':32}{'count':>7}{'jobs hit':>10}{'given back in':>15}{'going on in':>13}   (slowest)")
    for kind, count in sorted(kinds.items()):
        hit = sum(len(struck.jobs) for struck in one.struck if struck.kind == kind)
        back = f"{max(watch.given_back[kind]):.1f} s" if watch.given_back.get(kind) else ""
        on = f"{max(watch.going_on[kind]):.1f} s" if watch.going_on.get(kind) else "never"
        print(f"{kind:32}{count:>7}{hit:>10}{back:>15}{on:>13}")
    for line in found.all()[:60]:
        print(f"  ! {line}")
    all_jobs = jobs()
    summary = {
        "ok": not found.all(), "seed": one.given.seed, "jobs": len(all_jobs), "faults": len(one.struck),
        **found.counts(), "reruns": sum(job.attempt - 1 for job in all_jobs if job.attempt),
        "max_given_back_s": _slowest(watch.given_back), "max_recovery_s": _slowest(watch.going_on),
        "seconds": round(seconds, 1), "samples": watch.samples,
        "executions": sum(len(board.executions()) for board in one.stack.boards),
        "faults_by_kind": dict(kinds), "database": connection.vendor,
        "versions": {name: version(name) for name in ("celery", "kombu", "redis", "Django", "onnxruntime")}
        | {"python": platform.python_version()},
    }  # fmt: skip
    print(json.dumps(summary, sort_keys=True))


def _slowest(times: dict[str, list[float]]) -> float:
    return round(max((max(each) for each in times.values()), default=0.0), 1)
