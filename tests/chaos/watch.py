"""Looks at the database while everything happens: what must hold at every moment, not only at the end."""

import time
from dataclasses import dataclass, field

from django.db import connection

from dashboard.boards.models import Board, Run
from dashboard.jobs.models import State
from tests.chaos.faults import Struck, has_recovered
from tests.chaos.work import ended_jobs


@dataclass
class Watch:
    """Violations seen, and how long each fault's victims took to be taken up again."""

    violations: list[str] = field(default_factory=list)
    recovered: dict[str, list[float]] = field(default_factory=dict)
    samples: int = 0
    _open: list[Struck] = field(default_factory=list)
    _ended_at: dict[Struck, int] = field(default_factory=dict)

    def note(self, struck: Struck) -> None:
        """Begin to time the recovery from a fault."""
        self._open.append(struck)
        self._ended_at[struck] = ended_jobs()

    def look(self) -> None:
        """One sample. Each question is one query, so that it sees one moment."""
        self.samples += 1
        for board, run, state in Board.objects.exclude(run=None).values_list("name", "run", "run__state"):
            if state != State.RUNNING:
                self.violations.append(f"{board} is held by run {run}, which is {state}")
        for pk in Run.objects.filter(state=State.RUNNING, holds=None).values_list("pk", flat=True):
            self.violations.append(f"run {pk} runs without holding a board")
        if connection.vendor == "sqlite":
            connection.close()  # a reader that lives long would keep the write-ahead log from being cut
        self._time_recoveries()

    def _time_recoveries(self) -> None:
        now = time.monotonic()
        for struck in list(self._open):
            if self._is_over(struck):
                self._open.remove(struck)
                self.recovered.setdefault(struck.kind, []).append(now - struck.at)

    def _is_over(self, struck: Struck) -> bool:
        """The jobs it hit go on; or, when it hit none in particular, some job has ended since."""
        if struck.jobs:
            return all(has_recovered(job) for job in struck.jobs)
        return ended_jobs() > self._ended_at[struck]
