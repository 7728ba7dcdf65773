"""A child from which nothing comes for five seconds, by both agents; and what must not be taken for that.

All runs go on side by side: each of them has to last longer than the silence.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boardagent import signs
from tests.boardagent import standin
from tests.boardagent.npuchild import IMAGE, OFFSET, write
from tests.boardagent_c.board import Board, Event, Received, wait_until
from tests.boardagent_c.test_same_as_python import python_agent

AGENTS = ["c", "python"]
LONGER_MS = int(signs.SILENCE_S * 1000) + 1500
HANGING: dict[str, Any] = {"fault": "hang-init", "environment": {}}
CASES: dict[str, dict[str, Any]] = {
    "stopped": HANGING,
    "suspended": {"fault": "quiet", "environment": {"RKNN_STANDIN_TRY_MS": str(LONGER_MS // 5)}},
    "quiet": {"fault": "quiet", "environment": {"RKNN_STANDIN_TRY_MS": str(LONGER_MS // 5)}},
    "loading": {"fault": "none", "environment": {"RKNN_STANDIN_LOAD_MS": str(LONGER_MS)}},
}


class Case:
    """A run on a board of its own."""

    def __init__(self, folder: Path, program: Path, library: Path, fault: str, environment: dict[str, str]):
        self.board = Board(folder, program, library)
        self.board.environment.update(environment)
        self.run = self.board.folder(model=f"STANDIN1\nfault {fault}\n".encode(), npu="rknn1")
        write(self.run / "inputs.safetensors", {"image": IMAGE, "offset": OFFSET}, "inputs/1")
        self.board.start(self.run)

    def pids(self) -> list[int]:
        """The run and its child, once both are there."""
        wait_until(lambda: (self.run / "pids").read_text().count("\n") >= 2)
        return [int(line.split()[0]) for line in (self.run / "pids").read_text().splitlines()[:2]]

    def says(self, words: str) -> bool:
        log = self.run / "plain" / "log"
        return log.exists() and words in log.read_text()

    def result(self) -> Event:
        received = Received()
        assert self.board.attach(self.run, received) == 0
        return received.result()


@pytest.fixture(scope="module")
def results(
    tmp_path_factory: pytest.TempPathFactory, program: Path
) -> Iterator[dict[tuple[str, str], Event]]:
    """The result of each case by each agent."""
    folder = tmp_path_factory.mktemp("silence")
    library = standin.build("librknn_api", folder)
    programs = {"c": program, "python": python_agent(folder)}
    runs = {
        (agent, name): Case(folder / f"{agent}-{name}", programs[agent], library, **case)
        for agent in AGENTS
        for name, case in CASES.items()
    }
    try:
        _strike(runs)
        yield {which: run.result() for which, run in runs.items()}
    finally:
        for run in runs.values():
            run.board.end()


def _strike(runs: dict[tuple[str, str], Case]) -> None:
    """Stop a child; stop another one together with its run, as a suspended board does, and let both go on later."""
    suspended = [pid for agent in AGENTS for pid in runs[agent, "suspended"].pids()]
    for pid in suspended:
        os.kill(pid, signal.SIGSTOP)
    for agent in AGENTS:
        stopped = runs[agent, "stopped"]
        wait_until(lambda stopped=stopped: stopped.says("waiting for the device"))  # type: ignore[misc]
        os.kill(stopped.pids()[1], signal.SIGSTOP)
    time.sleep(LONGER_MS / 1000)
    for pid in reversed(suspended):
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("agent", AGENTS)
def test_a_stopped_child_is_a_hang(results: dict[tuple[str, str], Event], agent: str) -> None:
    error = results[agent, "stopped"]["error"]
    assert (error["code"], error["message"].partition(" for ")[0], error["message"][-13:]) == (
        "board:npu-hung",
        "plain: no sign of life",
        "it is stopped",
    )


@pytest.mark.parametrize("agent", AGENTS)
def test_its_last_words_are_told(results: dict[tuple[str, str], Event], agent: str) -> None:
    assert "waiting for the device" in results[agent, "stopped"]["error"]["detail"]


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("case", ["quiet", "loading", "suspended"])
def test_what_only_takes_long_is_no_silence(
    results: dict[tuple[str, str], Event], agent: str, case: str
) -> None:
    assert "plain" in results[agent, case], results[agent, case]
