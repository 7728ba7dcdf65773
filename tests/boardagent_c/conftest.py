"""The C agent, built once a session with the sanitizers on: a report of theirs ends the process and the test."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.boardagent_c.board import HERE, SOURCE, Board

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Werror"]
SANITIZED = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def compiler(name: str = "gcc") -> str:
    """Where the compiler is; skips the test where there is none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def build(target: Path, *sources: Path, options: list[str]) -> Path:
    subprocess.run(
        [compiler(), "-std=gnu99", "-pthread", *options, "-o", str(target), *map(str, sources), "-ldl"],
        check=True,
    )
    return target


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent with address and undefined behaviour sanitizers."""
    return build(tmp_path_factory.mktemp("c") / "agent", SOURCE, options=WARNINGS + SANITIZED)


@pytest.fixture(scope="session")
def plain_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent as a board gets it."""
    return build(tmp_path_factory.mktemp("c-plain") / "agent", SOURCE, options=[*WARNINGS, "-O2"])


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in librknn_api.so."""
    target = tmp_path_factory.mktemp("library") / "librknn_api.so"
    return build(target, HERE / "standin.c", options=["-shared", "-fPIC"])


@pytest.fixture
def board(tmp_path: Path, program: Path, library: Path) -> Iterator[Board]:
    """A work folder with the sanitized agent and both kinds of NPU; what still runs at the end is ended."""
    board = Board(tmp_path / "board", program, library)
    yield board
    board.end()


@pytest.fixture
def make_board(tmp_path: Path, library: Path) -> Iterator[Callable[[Path], Board]]:
    """Boards of other builds."""
    made: list[Board] = []

    def make(program: Path) -> Board:
        made.append(Board(tmp_path / f"board-{len(made)}", program, library))
        return made[-1]

    yield make
    for board in made:
        board.end()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
