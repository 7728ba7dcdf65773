"""The ctypes path on the Pythons that boards have, started from the one file that a board gets."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.boardagent.npuchild import NpuRun, network
from tests.boardagent.test_old_pythons import PYTHONS
from workers.link.bundle import agent_bundle

ASK = """
import sys
sys.path.insert(0, sys.argv[1])
from boardagent.npu import rknn1
print(rknn1.command("plain", "f", "o"))
"""


@pytest.fixture(params=PYTHONS)
def start(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The first words of the child's command: an interpreter and the zipapp."""
    agent = tmp_path / agent_bundle().name
    agent.write_bytes(agent_bundle().data)
    return [PYTHONS[request.param], "-I", str(agent)]


@pytest.fixture
def run(rknn_api: Path, tmp_path: Path) -> NpuRun:
    """A run of the 1.7 stand-in."""
    return NpuRun("rknn1", rknn_api, tmp_path, "", [], {"sequence": {"repeats": 3, "reloads": 1}})


def test_the_command_names_the_zipapp_itself(start: list[str]) -> None:
    done = subprocess.run(
        [start[0], "-c", ASK, start[2]], capture_output=True, text=True, check=True, cwd="/"
    )
    expected = [start[0], "-I", start[2], "npu-child", "rknn1", "plain", "/f", "/o"]
    assert [Path(word).name for word in _words(done.stdout)] == [Path(word).name for word in expected]


def _words(printed: str) -> list[str]:
    return [word.strip(" '\"") for word in printed.strip().strip("[]").split(",")]


def test_outputs_are_right(start: list[str], run: NpuRun) -> None:
    assert np.abs(run.do("plain", start).outputs()["map"] - network()[1]).max() <= 0.0201


def test_layers_are_timed(start: list[str], run: NpuRun) -> None:
    assert len(run.do("timed", start).report["layers"]) == 4


def test_layers_are_dumped(start: list[str], run: NpuRun) -> None:
    run.do("dump", start)
    assert len(run.harvest("dump")) == 5


def test_sequences_are_checked(start: list[str], run: NpuRun) -> None:
    assert [check["differing"] for check in run.do("sequence", start).report["checks"]] == [[], [], []]


def test_a_refusal_is_told(start: list[str], run: NpuRun) -> None:
    assert run.do("plain", start, RKNN_STANDIN_FAULT="init:-13").code == "board:rejected-artifact"


def test_a_hang_is_told(start: list[str], rknn_api: Path, tmp_path: Path) -> None:
    hung = NpuRun("rknn1", rknn_api, tmp_path, "", ["fault hang"], {"deadline_s": 1})
    assert hung.do("plain", start).code == "board:npu-hung"
