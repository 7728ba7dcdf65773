"""The whole path without a queue: the real steps in this process, the real toolkit, a real board of software by SSH."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.boards import keys
from dashboard.boards.models import Board
from dashboard.boards.services import BoardSettings, register_board
from dashboard.conversions.offers import TOOLKITS, queue_of
from dashboard.jobs.models import kinds
from dashboard.jobs.services import beat
from dashboard.projects.models import Project
from tests.factories import owner_of
from workers import offering, presence, tasks
from workers.toolkits import torchscript
from workers.toolkits.jobs import ROOT

TASKS = {
    "inspection": tasks.inspect_task,
    "import": tasks.import_task,
    "conversion": tasks.convert_task,
    "comparison": tasks.compare_task,
    "check": tasks.check_task,
    "twin": tasks.twin_task,
    "power": tasks.power_task,
    "run": tasks.run_task,
    "probe": tasks.probe_task,
}


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's files, made by its own script."""
    folder = tmp_path_factory.mktemp("example")
    subprocess.run([sys.executable, "-m", "examples.build", str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example network as TorchScript, traced by the real PyTorch (make toolkit-torch)."""
    folder = tmp_path_factory.mktemp("traces")
    command = [str(torchscript.here()), "-W", "ignore", "-m", "examples.torchscript", str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return folder


@pytest.fixture(scope="session")
def quirky_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A simulated board with the quirk `transpose-over-4d`, and the key that it lets in."""
    folder = tmp_path_factory.mktemp("board")
    key = keys.new_private_key()
    (folder / "authorized_keys").write_text(keys.public_key(key) + "\n")
    (folder / "authorized_keys").chmod(0o600)
    argv = [sys.executable, "-m", "simboard", "--dir", str(folder), "--port", "0"]
    argv += ["--quirk", "transpose-over-4d", "--die-with-parent"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield {"private_key": key, "folder": folder, "process": process, **json.loads(process.stdout.readline())}
    process.terminate()
    process.wait(20)
    process.stdout.close()


@pytest.fixture
def board(quirky_board: dict[str, Any]) -> Callable[[Project], Board]:
    """Registers the simulated board for a project."""

    def register(project: Project, **changes: Any) -> Board:
        wanted = {
            "name": "simboard",
            "address": "127.0.0.1",
            "port": quirky_board["port"],
            "username": quirky_board["user"],
            "host_key": quirky_board["host_key"],
            "private_key": quirky_board["private_key"],
            "npu": "sim",
            "work_folder": quirky_board["workdir"],
            "simulated": True,
            "quirks": tuple(quirky_board["quirks"]),
            **changes,
        }
        return register_board(BoardSettings(**wanted), [project], owner_of(project))

    return register


@pytest.fixture(autouse=True)
def worker(transactional_db: None) -> None:
    """This process is the worker: it registers as one, by what its toolkits really say."""
    queues = [queue_of(name) for name in TOOLKITS]
    beat(presence.name(), "worker", queues, offering.told(queues), is_first=True)


@pytest.fixture
def run_queue() -> Callable[[], int]:
    """Do every queued job, and what follows from it, until nothing is left that may start now."""

    def run() -> int:
        done = 0
        while jobs := [job for kind in kinds() for job in kind.objects.to_ring()]:
            for job in jobs:
                TASKS[job.kind](job.pk)
                done += 1
        return done

    return run
