"""Thousands of short runs of three projects over all boards, and what the database says about them afterwards."""

import statistics
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from django.db.models import Count

from dashboard.boards.models import Board, Run
from dashboard.boards.services import request_run
from dashboard.jobs.models import ENDED
from dashboard.supervisor import kernel
from tests import factories
from tests.bench.farm import cpu
from tests.bench.farm.apart import group
from tests.bench.farm.machines import Machines, machines
from tests.boards.queues import artifact_of

PROJECTS = 3
LONGEST_S, STUCK_S = 1500.0, 60.0


@dataclass(frozen=True)
class FarmFigures:
    """What the farm did. Times in seconds; `gaps` from the end of a run to the start of the board's next one."""

    boards: int
    runs: int
    board_seconds: float
    used: cpu.Usage
    leased_s: float
    gaps: list[float]
    states: dict[str, int]
    per_board: list[int]
    is_apart: bool  # the boards had a control group of their own, see apart.py

    @property
    def cpu_per_run(self) -> float:
        return self.used.ours / self.runs

    @property
    def least_wall(self) -> float:
        """No farm could be quicker: the boards need their time, and the processor what every run costs it."""
        cores_left = self.used.left_to_us / self.used.wall
        return max(self.runs * self.board_seconds / self.boards, self.used.ours / cores_left)

    @property
    def share_of_limit(self) -> float:
        return self.least_wall / self.used.wall

    @property
    def leased(self) -> float:
        """The share of the wall time that boards were held by runs."""
        return self.leased_s / (self.boards * self.used.wall)

    def gap_ms(self, percent: int) -> float:
        return statistics.quantiles(self.gaps, n=100)[percent - 1] * 1e3


def run_farm(folder: Path, boards: int, runs: int, board_seconds: float) -> FarmFigures:
    """Start the farm, queue the runs in one go, wait until all have ended."""
    kernel.adopt_orphans()  # a board's agent detaches what it runs
    with group() as apart, machines(folder, boards, board_seconds, apart=apart) as farm:
        artifacts = [artifact_of(factories.make_project()) for _ in range(PROJECTS)]
        projects = [artifact.conversion.project for artifact in artifacts]
        farm.register(projects)
        before = cpu.now()
        for number in range(runs):
            request_run(artifacts[number % PROJECTS], iterations=3)
        _wait(runs, farm)
        used = cpu.now() - before
    return _figures(boards, runs, board_seconds, used, apart is not None)


def _wait(runs: int, farm: Machines) -> None:
    began = said = moved = time.monotonic()
    last = 0
    while (done := Run.objects.filter(state__in=ENDED).count()) < runs:
        now = time.monotonic()
        moved, last = (now, done) if done != last else (moved, last)
        if now - began > LONGEST_S or now - moved > STUCK_S:
            states = dict(Board.objects.order_by().values_list("state").annotate(Count("pk")))
            raise RuntimeError(f"only {done} of {runs} runs have ended; boards: {states}")
        if now - said > 30:
            said = now
            print(f"  {done} of {runs} runs", file=sys.stderr, flush=True)
        cpu.collect(farm.processes)
        time.sleep(0.25)


def _figures(boards: int, runs: int, board_seconds: float, used: cpu.Usage, is_apart: bool) -> FarmFigures:
    rows = list(Run.objects.order_by("started_at").values_list("board", "started_at", "ended_at", "state"))
    of_board = defaultdict(list)
    for board, started, ended, _ in rows:
        of_board[board].append((started, ended))
    gaps = [
        (after[0] - before[1]).total_seconds()
        for mine in of_board.values()
        for before, after in pairwise(mine)
    ]
    leased = sum((ended - started).total_seconds() for _, started, ended, _ in rows)
    states = dict(Counter(state for *_, state in rows))
    counts = sorted(len(mine) for mine in of_board.values())
    return FarmFigures(boards, runs, board_seconds, used, leased, gaps, states, counts, is_apart)
