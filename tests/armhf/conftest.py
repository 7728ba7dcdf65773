"""Emulated boards for the tests: one of each kind for all, fresh ones for tests that break them."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.armhf import image, needs, slots
from tests.armhf.board import EmulatedBoard, emulated_board
from tests.armhf.packages import CannotFetch
from tests.armhf.recipes import KINDS
from tests.link.conftest import into, nothing_leaks

__all__ = ["into", "nothing_leaks"]
HERE = Path(__file__).parent
Boards = Callable[[str], EmulatedBoard]
began = time.monotonic()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs emulated boards, and time: images are made in the first test that wants one."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("armhf")
            item.add_marker(pytest.mark.usefixtures("machine"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what an empty cache has cost."""
    made = (
        ", ".join(f"{name} {seconds:.1f} s" for name, seconds in image.times.items())
        or "none, all in the cache"
    )
    terminalreporter.write_line(f"images made: {made}; everything: {time.monotonic() - began:.0f} s")


@pytest.fixture(scope="session")
def machine() -> None:
    """Skip, with the reason, where no board can be emulated; clear what killed runs left."""
    lacking = needs.missing()
    if lacking:
        pytest.skip(lacking)
    slots.clear_leftovers()


@contextlib.contextmanager
def started(kind: str) -> Iterator[EmulatedBoard]:
    """A board of the kind; skips when its packages cannot be had."""
    try:
        image.image(KINDS[kind].recipe)
    except CannotFetch as error:
        pytest.skip(f"no armhf packages of {KINDS[kind].recipe.suite}: {error}")
    with emulated_board(KINDS[kind]) as board:
        yield board


@pytest.fixture(scope="session")
def boards(machine: None) -> Iterator[Boards]:
    """Gives the healthy board of a kind, started when it is first asked for."""
    running: dict[str, EmulatedBoard] = {}
    with contextlib.ExitStack() as stack:

        def board_of(kind: str) -> EmulatedBoard:
            if kind not in running:
                running[kind] = stack.enter_context(started(kind))
            return running[kind]

        yield board_of


@pytest.fixture(params=KINDS)
def board(request: pytest.FixtureRequest, boards: Boards) -> EmulatedBoard:
    """A healthy board of each kind; tests must leave it as it was."""
    return boards(request.param)


@pytest.fixture
def own_board(request: pytest.FixtureRequest, machine: None) -> Iterator[EmulatedBoard]:
    """A board for one test, which may break it; the kind by indirect parametrization."""
    with started(getattr(request, "param", "python3.9-busybox")) as found:
        yield found


def soon(seconds: float = 120.0) -> float:
    """A deadline."""
    return time.monotonic() + seconds
