"""Registrations and probes as in production: the real verbs, the real step, a real board by SSH; only no queue."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboard.boards.models import Board
from dashboard.projects.models import Project
from dashboard.registration.drafts import Draft
from dashboard.registration.models import Probe, Registration
from dashboard.registration.services import begin, confirm, request_probe
from tests.factories import make_project, owner_of
from tests.link.board import RunningBoard, running_board
from workers.tasks import probe_task

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBoard]:
    """A board of software that stays as it is; who may log in is written anew by each test."""
    options = ["--sshd", "openssh"] if SSHD else ["--sshd", "paramiko"]
    with running_board(tmp_path_factory.mktemp("machine"), *options) as found:
        yield found


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make_project()


def draft_of(machine: RunningBoard, **changes: object) -> Draft:
    """What an admin would say of this board."""
    said: dict[str, object] = {
        "name": "desk",
        "address": "127.0.0.1",
        "port": machine.port,
        "username": str(machine.ready["user"]),
        "npu": "sim",
        "work_folder": machine.workdir,
    }
    return Draft(**{**said, **changes})  # type: ignore[arg-type]


def let_in(machine: RunningBoard, public_key: str) -> None:
    """Write the board's authorized_keys, as whoever sets up a board does."""
    (machine.folder / "authorized_keys").write_text(f"{public_key} layerwise\n")


def done(probe: Probe) -> Probe:
    """The probe after a worker has done it."""
    probe_task(probe.pk)
    probe.refresh_from_db()
    return probe


@pytest.fixture
def begun(project: Project, machine: RunningBoard) -> Registration:
    """A registration whose host key a worker has looked at."""
    registration = begin(project, [project], draft_of(machine), owner_of(project))
    done(registration.probes.get())
    registration.refresh_from_db()
    return registration


@pytest.fixture
def confirmed(begun: Registration, machine: RunningBoard) -> Board:
    """The new board, its first probe requested; the board lets the site in."""
    let_in(machine, begun.public_key)
    return confirm(begun, begun.host_key_fingerprint, begun.created_by)


@pytest.fixture
def probed(project: Project) -> Callable[[Board], Probe]:
    """Probes a board, to the end."""

    def probe(board: Board) -> Probe:
        return done(request_probe(board, project, owner_of(project)))

    return probe


def steps_of(probe: Probe) -> dict[str, str]:
    """How each step ended."""
    return {step.name: str(step.state) for step in probe.shown_steps}


def folder_of(machine: RunningBoard) -> Path:
    return Path(machine.workdir)


def failed_at(probe: Probe) -> tuple[str, str]:
    """The step that failed, and with which code."""
    return next((step.name, step.code) for step in probe.shown_steps if step.state == "failed")
