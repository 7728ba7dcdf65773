"""Processor time of a process tree and of the machine, so that what others use is not counted as ours."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dashboard.supervisor import kernel
from tests.chaos.processes import arguments

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """Seconds: on the wall, of this process and all that came from it, of the whole machine; and its cores."""

    wall: float
    ours: float
    machine: float
    cores: int

    def __sub__(self, before: Self) -> "Usage":
        return Usage(
            self.wall - before.wall, self.ours - before.ours, self.machine - before.machine, self.cores
        )

    @property
    def left_to_us(self) -> float:
        """Processor seconds that others did not take."""
        return max(self.cores * self.wall - max(0.0, self.machine - self.ours), self.ours)


def now() -> Usage:
    """Up to now."""
    return Usage(time.monotonic(), _tree(_root()), _machine(), len(os.sched_getaffinity(0)))


def collect(started: set[int]) -> None:
    """Ask for the status of orphans that have ended: only then their time counts as this process's, who adopted them.

    `started` are the children that somebody else here waits for.
    """
    for pid in kernel.children(os.getpid()) - started:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _root() -> int:
    """The process that runs PostgreSQL for us, whose time is part of the farm's; else this one."""
    parent = os.getppid()
    return parent if "tests.postgres" in arguments(parent) else os.getpid()


def _machine() -> float:
    """Busy seconds of all cores: neither idle nor waiting for a disk."""
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = fields
    return (user + nice + system + irq + softirq) / TICK


def _tree(root: int) -> float:
    """Of every living descendant, with the children that each has waited for."""
    stats = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            stats[int(entry.name)] = (int(fields[1]), sum(int(word) for word in fields[11:15]))
    found, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        found += stats.get(pid, (0, 0))[1]
        waiting += [child for child, (parent, _) in stats.items() if parent == pid]
    return found / TICK
