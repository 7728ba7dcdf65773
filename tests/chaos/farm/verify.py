"""What must be true of the farm at the end: nothing lost, nothing doubled, nothing wrong, nothing left behind."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db.models import Count, QuerySet

from dashboard.boards.models import Board, BoardState, Run, RunResult
from dashboard.boards.models.run import Purpose
from dashboard.jobs.models import State
from dashboard.layers.models import Dump
from tests.chaos.farm.station import Station
from tests.chaos.processes import of_folder, wait_until
from tests.chaos.verify import Findings

PATIENCE_S = 60.0


@dataclass
class FarmFindings(Findings):
    """Also boards that were leased again too late."""

    slow: list[str] = field(default_factory=list)


def verify(stations: list[Station], asked: int) -> FarmFindings:
    """Look at everything once, after the work has ended (or the patience has)."""
    found = FarmFindings()
    _runs(asked, found)
    _results(found)
    _boards(found)
    _left_behind(stations, found)
    return found


def asked_for() -> QuerySet[Run]:
    """The runs that were asked for: health checks ask for more by themselves."""
    return Run.objects.exclude(purpose=Purpose.HEALTH)


def _runs(asked: int, found: Findings) -> None:
    runs = list(asked_for().defer("log"))
    if len(runs) != asked:
        (found.lost if len(runs) < asked else found.doubled).append(f"{len(runs)} runs instead of {asked}")
    for run in runs:
        if not run.has_ended:
            found.lost.append(f"{run} is {run.state} (attempt {run.attempt}, {run.detail!r})")
        elif run.state != State.SUCCEEDED:
            found.wrong.append(f"{run} {run.state}: {run.failure} {run.detail!r}")


def _results(found: Findings) -> None:
    """One result a run, one dump a result, and every run of an artifact has the same outputs."""
    outputs: dict[int, set[str]] = defaultdict(set)
    for artifact, sha256 in RunResult.objects.values_list("run__artifact", "outputs_sha256"):
        outputs[artifact].add(sha256)
    found.wrong += [
        f"artifact {artifact} has {len(hashes)} kinds of outputs"
        for artifact, hashes in outputs.items()
        if len(hashes) != 1
    ]
    succeeded = Run.objects.filter(state=State.SUCCEEDED)
    found.lost += [f"{run} succeeded without a result" for run in succeeded.filter(result=None)]
    found.doubled += [
        f"{run} has a result and is {run.state}"
        for run in Run.objects.exclude(result=None).exclude(state=State.SUCCEEDED)
    ]
    shared = RunResult.objects.exclude(dump=None).values("dump").annotate(n=Count("pk")).filter(n__gt=1)
    found.doubled += [f"dump {row['dump']} belongs to {row['n']} results" for row in shared]
    kept = RunResult.objects.exclude(dump=None).values("dump")
    unowned = Dump.objects.filter(rung="board").exclude(pk__in=kept).count()
    found.doubled += [f"{unowned} dumps of boards belong to no result"] if unowned else []


def _boards(found: Findings) -> None:
    wait_until(lambda: not Board.objects.exclude(state=BoardState.READY, run=None).exists(), PATIENCE_S)
    for board in Board.objects.exclude(state=BoardState.READY, run=None):
        found.held.append(f"{board} is {board.state}: {board.reason}; it is held by {board.run_id}")


def _left_behind(stations: list[Station], found: Findings) -> None:
    """Run folders and NPU programs on boards, folders of jobs at the worker."""
    folders = [Path(settings.WORK_DIR) / name for name in ("jobs", "runs")]

    def remaining() -> list[str]:
        here = [str(path) for folder in folders if folder.is_dir() for path in folder.iterdir()]
        there = [f"{each.folder.name}: {name}" for each in stations for name in each.run_folders()]
        return [*here, *there]

    wait_until(lambda: not remaining(), PATIENCE_S)
    found.left_behind += remaining()
    for station in stations:
        found.overlaps += _lines(station.folder / "overlaps")
        for pid, command in of_folder(station.folder).items():
            if "simboard.null" in command or ".pyz" in command:
                found.left_behind.append(f"process {pid}: {command}")


def _lines(file: Path) -> list[str]:
    return [f"{file.parent.name}: {line}" for line in file.read_text().splitlines()] if file.exists() else []
