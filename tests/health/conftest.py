"""Boards with a golden model, and runs on them whose outputs and times are chosen."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
import pytest

from dashboard import files
from dashboard.boards.models import Board, Run
from dashboard.boards.services import Measured as MeasuredRun
from dashboard.boards.services import keep_result
from dashboard.conversions.models import Artifact
from dashboard.health.golden import name_golden_model
from dashboard.health.models import GoldenModel, HealthCheck
from dashboard.jobs.models import Job, kinds
from dashboard.pipeline import advance
from dashboard.projects.models import Project
from similarity.tensorfile import write_tensors
from tests.claims import claim_with_board
from tests.factories import artifact_for, make_artifact, make_board, make_project, make_queued_run, owner_of
from workers import tasks
from workers.lease import Lease
from workers.steps.check import check as check_step

J = TypeVar("J", bound=Job)

STACK = {"kernel": "4.19.111", "driver": "6.4.3.5", "boot_id": "first", "simulated": False}
RIGHT = (1.0, 2.0, 3.0)


def stored_outputs(values: tuple[float, ...], note: str = "") -> str:
    """The SHA-256 of an outputs file with these values, really in the store."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "outputs.safetensors"
        write_tensors(path, {"y": np.array(values, np.float32)}, {"layerwise": "outputs/1", "note": note})
        return files.put_path(path).sha256


def run_on(
    board: Board,
    artifact: Artifact | None = None,
    *,
    run: Run | None = None,
    values: tuple[float, ...] = RIGHT,
    median_us: float = 1000.0,
    fingerprint: dict[str, Any] | None = None,
    iterations_us: list[float] | None = None,
    note: str = "",
    sequence: list[dict[str, Any]] | None = None,
) -> Run:
    """A run that a worker claimed with the board and brought to a good end, by the product's own moves."""
    run = run or make_queued_run(artifact or artifact_for(board), board)
    board.projects.add(run.project)
    assert claim_with_board(run, "worker@test")
    mark = {**STACK, "simulated": board.simulated, **(fingerprint or {})}
    measured = MeasuredRun(
        outputs_sha256=stored_outputs(values, note),
        iterations_us=iterations_us or [median_us] * 3,
        fingerprint_before=mark,
        fingerprint_after=mark,
        simulated=board.simulated,
        sequence=sequence,
    )
    assert run.succeed(run.fence)
    keep_result(run, measured)
    advance(run)
    return Run.objects.get(pk=run.pk)


def judged(check: HealthCheck) -> HealthCheck:
    """The check after a worker has judged its run."""
    return ended_well(HealthCheck.objects.get(pk=check.pk), check_step)


def ended_well(job: J, step: Callable[[J, Lease], Callable[[], object]]) -> J:
    """The job after its step, by the same moves as in a worker, in this test's own transaction."""
    assert job.claim("worker@test")
    keep = step(job, Lease(job, job.fence))
    assert job.succeed(job.fence)
    keep()
    advance(job)
    found: J = type(job)._default_manager.get(pk=job.pk)
    return found


@pytest.fixture
def project(db: None) -> Project:
    return make_project()


@pytest.fixture
def board(project: Project) -> Board:
    """A real board (by its row), on which the golden model's run was good."""
    return make_board(project, simulated=False)


@pytest.fixture
def golden(project: Project, board: Board) -> GoldenModel:
    """The project's golden model, named from a run on the board."""
    artifact = make_artifact(toolkit="rknn1")
    conversion = artifact.conversion
    type(conversion).objects.filter(pk=conversion.pk).update(project=project)
    artifact.refresh_from_db()
    return name_golden_model(run_on(board, Artifact.objects.get(pk=artifact.pk)), owner_of(project))


@pytest.fixture
def run_queue() -> Callable[[], int]:
    """Do every queued job, and what follows from it, until nothing is left that may start now."""
    doers = {
        "inspection": tasks.inspect_task,
        "conversion": tasks.convert_task,
        "comparison": tasks.compare_task,
        "run": tasks.run_task,
        "check": tasks.check_task,
        "twin": tasks.twin_task,
        "power": tasks.power_task,
    }

    def run() -> int:
        done = 0
        while jobs := [job for kind in kinds() for job in kind.objects.to_ring()]:
            for job in jobs:
                doers[job.kind](job.pk)
                done += 1
        return done

    return run
