"""The agent on this machine; stand-in libraries, built once; a run folder for the throw-away NPU child."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.boardagent.agents import SLEEPING, Agents
from tests.boardagent.npuchild import NpuRun
from tests.boardagent.standin import build


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[Agents]:
    """Agents whose NPU sleeps; what still runs at the end is killed."""
    found = Agents(tmp_path)
    found.npu(SLEEPING)
    yield found
    found.close()


@pytest.fixture(scope="session")
def rknn_api(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in librknn_api.so."""
    return build("librknn_api", tmp_path_factory.mktemp("rknn1"))


@pytest.fixture(scope="session")
def rknnrt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in librknnrt.so."""
    return build("librknnrt", tmp_path_factory.mktemp("rknn2"))


@pytest.fixture
def rknn1(rknn_api: Path, tmp_path: Path) -> Callable[..., NpuRun]:
    """Makes a run for the 1.7 stand-in from lines of its model file and fields of job.json."""
    return lambda *lines, **job: NpuRun("rknn1", rknn_api, tmp_path, sys.executable, lines, job)


@pytest.fixture
def rknn2(rknnrt: Path, tmp_path: Path) -> Callable[..., NpuRun]:
    """The same for the RKNPU2 stand-in."""
    return lambda *lines, **job: NpuRun("rknn2", rknnrt, tmp_path, sys.executable, lines, job)
