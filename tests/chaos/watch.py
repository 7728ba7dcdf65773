"""Looks at the database while everything happens: what must hold at every moment, not only at the end."""

import time
from dataclasses import dataclass, field

from django.db import connection

from dashboard.boards.models import Board, Run
from dashboard.jobs.models import State
from tests.chaos.faults import Struck
from tests.chaos.victims import goes_on, is_given_back
from tests.chaos.work import ended_jobs


@dataclass
class Watch:
    """Violations seen; by kind of fault, how long its victims took to be given back (and their boards freed), and
    how long until they were taken up again: that depends on what else waits."""

    violations: list[str] = field(default_factory=list)
    given_back: dict[str, list[float]] = field(default_factory=dict)
    going_on: dict[str, list[float]] = field(default_factory=dict)
    samples: int = 0
    _held: list[Struck] = field(default_factory=list)
    _open: list[Struck] = field(default_factory=list)
    _ended_at: dict[Struck, int] = field(default_factory=dict)

    def note(self, struck: Struck) -> None:
        """Begin to time the recovery from a fault."""
        self._open.append(struck)
        if struck.jobs:
            self._held.append(struck)
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
                self.going_on.setdefault(struck.kind, []).append(now - struck.at)
        for struck in list(self._held):
            if all(is_given_back(job) for job in struck.jobs):
                self._held.remove(struck)
                self.given_back.setdefault(struck.kind, []).append(now - struck.at)

    def _is_over(self, struck: Struck) -> bool:
        """The jobs it hit go on; or, when it hit none in particular, some job has ended since."""
        if struck.jobs:
            return all(goes_on(job) for job in struck.jobs)
        return ended_jobs() > self._ended_at[struck]
