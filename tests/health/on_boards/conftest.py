"""What stands on a bench of real boards of software: an artifact with its files, a golden model, a check."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboard import files
from dashboard.boards.models import Board, Run
from dashboard.boards.services import request_run
from dashboard.conversions.models import Artifact
from dashboard.health.checks import request_check
from dashboard.health.golden import name_golden_model
from dashboard.health.models import Cause, HealthCheck
from dashboard.jobs.models import State
from dashboard.projects.models import Project
from tests.factories import make_artifact, owner_of
from tests.health.bench import BenchBoard, bench
from tests.link.artifacts import make_artifact as make_artifact_file
from tests.link.artifacts import make_inputs

RunQueue = Callable[[], int]


@pytest.fixture
def boards(tmp_path: Path) -> Iterator[Callable[..., BenchBoard]]:
    with bench(tmp_path / "bench") as make:
        yield make


@pytest.fixture
def artifact(transactional_db: None, tmp_path: Path) -> Artifact:
    """A small quantized network with a transpose of six dimensions, its files really in the store."""
    made = make_artifact()
    file = files.put_path(make_artifact_file(tmp_path / "artifact.onnx"))
    inputs = files.put_path(make_inputs(tmp_path / "inputs.safetensors"))
    Artifact.objects.filter(pk=made.pk).update(
        sha256=file.sha256, size=file.size, inputs_sha256=inputs.sha256
    )
    made.refresh_from_db()
    return made


@pytest.fixture
def project(artifact: Artifact) -> Project:
    return artifact.conversion.project


def name_golden(artifact: Artifact, board: Board, run_queue: RunQueue) -> Run:
    """A good run of the artifact there, named the golden model."""
    run = request_run(artifact, board=board, iterations=3)
    run_queue()
    run.refresh_from_db()
    assert run.state == State.SUCCEEDED, run.detail
    name_golden_model(run, owner_of(run.project))
    return run


def checked(board: Board, run_queue: RunQueue) -> HealthCheck:
    check = request_check(board, Cause.ASKED)
    assert check is not None
    run_queue()
    check.refresh_from_db()
    return check
