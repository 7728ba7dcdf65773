"""Simulated boards for the tests of the link: one of each kind for all, and fresh ones for tests that break them."""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.link.artifacts import make_artifact, make_inputs
from tests.link.board import RunningBoard, running_board

KINDS = ["openssh", "paramiko"]


def need_sshd() -> None:
    """Skip, with the reason, where the real sshd is not installed."""
    if shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("no sshd on this machine (Debian package openssh-server)")


@pytest.fixture(scope="session")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], RunningBoard]]:
    """Gives the healthy board of a kind, started when it is first asked for."""
    started: dict[str, RunningBoard] = {}
    with contextlib.ExitStack() as stack:

        def board_of(kind: str) -> RunningBoard:
            if kind not in started:
                folder = tmp_path_factory.mktemp("boards") / kind
                options = ("--sshd", kind, "--quirk", "transpose-over-4d")
                started[kind] = stack.enter_context(running_board(folder, *options))
            return started[kind]

        yield board_of


@pytest.fixture(params=KINDS)
def board(request: pytest.FixtureRequest, boards: Callable[[str], RunningBoard]) -> RunningBoard:
    """A healthy board of each kind; tests must leave it as it was."""
    if request.param == "openssh":
        need_sshd()
    return boards(request.param)


@pytest.fixture
def own_board(tmp_path: Path) -> Iterator[RunningBoard]:
    """A board for one test, which may break it."""
    with running_board(tmp_path / "own", "--sshd", "paramiko") as found:
        yield found


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The traced route's artifact."""
    return make_artifact(tmp_path_factory.mktemp("artifact") / "artifact.onnx")


@pytest.fixture
def files(artifact: Path, tmp_path: Path) -> dict[str, Path]:
    """The files of a run, by the names that make_job gives them."""
    return {"artifact.onnx": artifact, "inputs.safetensors": make_inputs(tmp_path / "inputs.safetensors")}


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """An empty folder for results."""
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def nothing_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails when the test leaves more threads or open files behind than there were."""
    if "board" in request.fixturenames:
        request.getfixturevalue("board")  # started before we count
    threads, descriptors = set(threading.enumerate()), open_files()
    yield
    until = time.monotonic() + 3
    while time.monotonic() < until and set(threading.enumerate()) - threads:
        time.sleep(0.02)
    assert set(threading.enumerate()) - threads == set()
    assert open_files() <= descriptors


def open_files() -> int:
    """How many descriptors this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))
