"""The farm from start to report: keep a queue before the boards, strike, time every recovery, verify at the end."""

import argparse
import contextlib
import json
import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from dashboard.boards.models import Board, BoardState, Run
from dashboard.boards.services import request_run, resume
from dashboard.conversions.models import Artifact
from dashboard.health.golden import name_golden_model
from dashboard.health.reasons import is_ended_by_a_check
from dashboard.jobs.models import ENDED, State
from dashboard.supervisor import stack
from tests import factories
from tests.bench.farm.machines import Machines, machines
from tests.boards.queues import artifact_of
from tests.chaos.farm.faults import KINDS, Strike, plan
from tests.chaos.farm.station import Station
from tests.chaos.farm.verify import FarmFindings, asked_for, verify
from tests.chaos.processes import Process, of_folder, wait_until
from tests.chaos.settings import TIMES
from tests.chaos.stack import set_witness
from tests.link.proxy import proxy_to

PROJECTS = 3
WAITING = 2  # runs in the queue for each board
TICK_S = 0.1
PAUSE_S = 0.5  # between two strikes at least
MOST_RECOVERY_S = 30.0
STUCK_S = 120.0


@dataclass(frozen=True)
class Outage:
    """A fault that happened; `hit` is what the board's run was doing, `recovered` when the fault was over."""

    kind: str
    station: Station
    hit: str
    recovered: datetime
    since: float  # the same on the monotonic clock

    def __str__(self) -> str:
        """With what the board's runs have written since."""
        runs = Run.objects.filter(board=self.station.row).order_by("-started_at")[:2]
        told = " / ".join(f"{run} ({run.state}): {run.log[-600:]!r}" for run in runs)
        return f"{self.kind} at {self.recovered:%H:%M:%S} of {self.station.row} ({self.hit}): {told}"


@dataclass
class Farm:
    """What is under way."""

    stations: list[Station]
    artifacts: list[Artifact]
    chance: random.Random
    asked: int = 0
    struck: int = 0
    resumed: int = 0
    slow: list[str] = field(default_factory=list)
    stages: Counter[str] = field(default_factory=Counter)
    recoveries: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _lasting: list[tuple[float, str, Station, str, Strike]] = field(default_factory=list)
    _healing: list[Outage] = field(default_factory=list)

    @property
    def is_quiet(self) -> bool:
        """Is every fault over, and every board back at work?"""
        return not self._lasting and not self._healing

    def feed(self) -> None:
        """Keep the queue longer than what the boards can take."""
        queued = asked_for().filter(state=State.QUEUED).count()
        for _ in range(WAITING * len(self.stations) - queued):
            request_run(self.artifacts[self.asked % len(self.artifacts)], iterations=3)
            self.asked += 1

    def strike(self, kind: str) -> bool:
        """Let it happen to a board that is whole; False when none of them can have it now."""
        ill = {id(each.station) for each in self._healing} | {id(each[2]) for each in self._lasting}
        whole = [station for station in self.stations if id(station) not in ill]
        self.chance.shuffle(whole)
        stages = {id(station): _stage(station.row) for station in whole}
        for station in sorted(
            whole, key=lambda each: self.stages[stages[id(each)]]
        ):  # every stage gets its share
            hit = stages[id(station)]
            if strike := KINDS[kind](station, self.chance):
                self._lasting.append((time.monotonic() + strike.lasts_s, kind, station, hit, strike))
                self.struck += 1
                self.stages[hit] += 1
                return True
        return False

    def resume(self) -> None:
        """Be the admin for a quarantine that no check ends, such as one for restarts too often."""
        for board in Board.objects.filter(state=BoardState.UNHEALTHY):
            if not is_ended_by_a_check(board.reason):
                resume(board, by=None)
                self.resumed += 1

    def tick(self) -> None:
        """End what is over, and see who is back at work."""
        now = time.monotonic()
        for lasting in [each for each in self._lasting if each[0] <= now or each[4].is_spent()]:
            self._lasting.remove(lasting)
            _, kind, station, hit, strike = lasting
            strike.undo()
            self._healing.append(Outage(kind, station, hit, timezone.now(), time.monotonic()))
        for outage in list(self._healing):
            took = time.monotonic() - outage.since
            if _is_back(outage) or took > STUCK_S:
                self._healing.remove(outage)
                self.recoveries[outage.kind].append(took)
                if took > MOST_RECOVERY_S:
                    self.slow.append(f"leased again {took:.1f} s after {outage}")
        if connection.vendor == "sqlite":
            connection.close()  # a reader that lives long would keep the write-ahead log from being cut


def _stage(board: Board) -> str:
    run = Run.objects.filter(holds=board).only("stage").first()
    return "no run" if run is None else run.stage or "claimed"


def _is_back(outage: Outage) -> bool:
    """Has a run begun on the board since it recovered, or has the one that it held ended well?"""
    since = Q(started_at__gt=outage.recovered) | Q(ended_at__gt=outage.recovered, state=State.SUCCEEDED)
    return Run.objects.filter(since, board=outage.station.row).exists()


def run(given: argparse.Namespace, folder: Path) -> bool:
    """Is all well?"""
    began = time.monotonic()
    with contextlib.ExitStack() as around:
        parts = around.enter_context(machines(folder, given.boards, given.board_seconds, TIMES))
        around.enter_context(_judge(parts))
        farm = _farm(parts, folder, given.seed, around)
        print(f"seed {given.seed}: {given.boards} boards, {given.faults} faults, {connection.vendor}")
        _name_golden_model(farm)
        _go(farm, plan(given.faults, farm.chance, given.kinds))
        found = verify(farm.stations, farm.asked)
    found.slow += farm.slow
    wait_until(lambda: not of_folder(folder), 10)
    found.left_behind += [f"process {pid} after the end: {what}" for pid, what in of_folder(folder).items()]
    _report(given, farm, found, time.monotonic() - began)
    return not found.all()


def _farm(parts: Machines, folder: Path, seed: int, around: contextlib.ExitStack) -> Farm:
    artifacts = [artifact_of(factories.make_project()) for _ in range(PROJECTS)]
    ports = {each.name: int((folder / each.name / "port").read_text()) for each in parts.boards}
    proxies = {name: around.enter_context(proxy_to(port)) for name, port in ports.items()}
    projects = [artifact.conversion.project for artifact in artifacts]
    rows = parts.register(projects, {name: proxy.port for name, proxy in proxies.items()})
    stations = [
        Station(process, folder / process.name, proxies[process.name], row)
        for process, row in zip(parts.boards, rows, strict=True)
    ]
    for station in stations:
        set_witness(station.folder)
    return Farm(stations, artifacts, random.Random(seed))


@contextlib.contextmanager
def _judge(parts: Machines) -> Iterator[None]:
    """The worker that judges health checks: they bring quarantined boards back."""
    service = stack.worker(dict(parts.worker.environment), [], 1)
    log = parts.folder / "log" / "judge.log"
    judge = Process("judge", list(service.program), dict(service.environment), log, "[queues]")
    judge.start()
    try:
        judge.wait_until_ready(120)
        yield
    finally:
        judge.end()


def _name_golden_model(farm: Farm) -> None:
    """What the first run brings home is right."""
    farm.asked += 1
    first = request_run(farm.artifacts[0], iterations=3)
    if not wait_until(lambda: Run.objects.get(pk=first.pk).has_ended, STUCK_S):
        raise RuntimeError(f"the first run does not end: {first}")
    name_golden_model(Run.objects.get(pk=first.pk), factories.make_user())


def _go(farm: Farm, kinds: list[str]) -> None:
    """Until every fault has struck and healed and every run has ended, or nothing moves any more."""
    ahead, last, said = list(kinds), 0.0, time.monotonic()
    while ahead or not farm.is_quiet:
        farm.feed()
        if ahead and time.monotonic() - last > PAUSE_S:
            done = next((kind for kind in ahead if farm.strike(kind)), None)
            if done:
                ahead.remove(done)
                last = time.monotonic()
        farm.tick()
        farm.resume()
        if time.monotonic() - said > 15:
            said = time.monotonic()
            print(f"  {farm.struck} of {len(kinds)} faults, {_ended()} of {farm.asked} runs", flush=True)
        time.sleep(TICK_S)
    moved = (time.monotonic(), _ended())
    while moved[1] < farm.asked and time.monotonic() - moved[0] < STUCK_S:
        time.sleep(TICK_S)
        farm.resume()
        if (ended := _ended()) != moved[1]:
            moved = (time.monotonic(), ended)


def _ended() -> int:
    return asked_for().filter(state__in=ENDED).count()


def _report(given: argparse.Namespace, farm: Farm, found: FarmFindings, seconds: float) -> None:
    """The table for people, then one line for programs."""
    print(f"\n{'fault':24}{'count':>7}{'leased again in':>17} (median, slowest)")
    for kind, times in sorted(farm.recoveries.items()):
        print(f"{kind:24}{len(times):>7}{statistics.median(times):>10.1f} s{max(times):>7.1f} s")
    print("struck while: " + ", ".join(f"{stage} {count}" for stage, count in farm.stages.most_common()))
    for line in found.all()[:60]:
        print(f"  ! {line}")
    attempts = list(Run.objects.values_list("attempt", flat=True))
    slowest = max((max(times) for times in farm.recoveries.values()), default=0.0)
    summary = {
        "ok": not found.all(), "seed": given.seed, "boards": given.boards, "faults": farm.struck,
        "runs": farm.asked, "resumed_by_hand": farm.resumed, "attempts": sum(attempts), **found.counts(),
        "max_recovery_s": round(slowest, 1), "stages": dict(farm.stages), "seconds": round(seconds, 1),
        "database": connection.vendor,
    }  # fmt: skip
    print(json.dumps(summary, sort_keys=True))
