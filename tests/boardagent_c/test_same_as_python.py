"""The same job by the C agent and by the Python agent: the same entries, the same files, the same result."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.boardagent_c.board import ROOT, Board, Received
from tests.link.artifacts import make_artifact, make_inputs

ALL = ["plain", "timed", "dump", "sequence"]
PYTHON = """#!{python}
import os, sys
sys.path.insert(0, {root!r})
os.environ["LAYERWISE_ROOT"] = os.path.dirname(os.path.abspath(__file__))
from boardagent.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
MakeBoard = Callable[[Path], Board]


@pytest.fixture
def boards(make_board: MakeBoard, program: Path, tmp_path: Path) -> list[Board]:
    """One board with the C agent, one with the Python agent."""
    return [make_board(program), make_board(python_agent(tmp_path))]


def python_agent(folder: Path) -> Path:
    """A program that is the Python agent."""
    python = folder / "python-agent"
    python.write_text(PYTHON.format(python=sys.executable, root=str(ROOT)))
    python.chmod(0o755)
    return python


def outline(received: Received) -> list[dict[str, Any]]:
    """Entries, those of one event in their order, without what differs from run to run.

    That is hash and length of result.json; and a file may be told of before its mode has ended, or after its log.
    """
    varying = {"bytes", "sha256"}
    rows = [
        {
            key: value
            for key, value in entry.items()
            if key != "entry" and (entry.get("role") != "result" or key not in varying)
        }
        for entry in received.entries
    ]
    return sorted(rows, key=lambda row: str(row["event"]))


def without_state(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key != "fingerprint"}


@pytest.mark.parametrize(
    "script",
    [
        "",
        "printf 'words\\nof \\303\\244 library\\n' >&2",
        """report='{"error": {"code": "board:rejected-artifact", "message": "no", "detail": "d"}}'""",
    ],
)
def test_both_agents_tell_the_same(boards: list[Board], script: str) -> None:
    for board in boards:
        board.sim_does(script)
    c, python = [board.run(modes=ALL[:3]) for board in boards]
    assert outline(c) == outline(python)


@pytest.mark.parametrize("script", ["", "exit 3", "kill -KILL $$", "echo '[]' > $3/report.json; exit 0"])
def test_both_agents_come_to_the_same_result(boards: list[Board], script: str) -> None:
    for board in boards:
        board.sim_does(script)
    c, python = [without_state(board.run(modes=ALL[:3]).result()) for board in boards]
    reasons = [result.get("error", {}).pop("message", "").partition(":")[0] for result in (c, python)]
    assert (c, reasons[0]) == (python, reasons[1])


def test_both_agents_introduce_themselves_with_the_same_fields(boards: list[Board]) -> None:
    c, python = [board.ask("hello")[1][0] for board in boards]
    assert set(c) == set(python)


def test_both_agents_probe_alike(boards: list[Board]) -> None:
    for board in boards:
        board.environment["LAYERWISE_RKNN_LIBRARY"] = "/no/librknn_api.so"
        board.sim_does("""report='{"npu": {"npu": "7"}}'""")
    c, python = [board.ask("probe")[1][:-1] for board in boards]
    assert c == python


def test_both_agents_describe_the_board_by_the_same_fields(boards: list[Board]) -> None:
    c, python = [board.run().result()["fingerprint"]["before"] for board in boards]
    assert set(python) - set(c) == set()


@pytest.fixture
def network_runs(boards: list[Board], tmp_path: Path) -> list[Received]:
    """A real network on the virtual NPU, once by each agent."""
    model = make_artifact(tmp_path / "artifact.onnx").read_bytes()
    received = []
    for board in boards:
        npu = board.root / "virtual"
        npu.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m simboard.npu "$@"\n')
        npu.chmod(0o755)
        board.sim(str(npu))
        folder = board.folder(model=model, modes=ALL, sequence={"repeats": 2, "reloads": 1}, iterations=2)
        shutil.copy(make_inputs(tmp_path / "inputs.safetensors"), folder / "inputs.safetensors")
        board.start(folder)
        received.append(Received())
        assert board.attach(folder, received[-1]) == 0
    return received


def test_a_network_on_the_virtual_npu_gives_the_same_tensors(network_runs: list[Received]) -> None:
    hashes = [
        {
            name: hashlib.sha256(data).hexdigest()
            for name, data in run.files().items()
            if name != "result.json"
        }
        for run in network_runs
    ]
    assert hashes[0] == hashes[1]


def test_a_network_on_the_virtual_npu_gives_results_of_the_same_form(network_runs: list[Received]) -> None:
    def form(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: form(inner) for key, inner in sorted(value.items())}
        return [form(inner) for inner in value] if isinstance(value, list) else type(value).__name__

    forms = [form(without_state(json.loads(json.dumps(run.result())))) for run in network_runs]
    assert forms[0] == forms[1]


VENDOR = [
    "ok",
    "init-6",
    "platform",
    "exit",
    "segv",
    "attr",
    "short",
    "noise",
    "nouid",
    "null",
    "garbage",
    "precompiled",
]


def unlike_times(value: Any) -> Any:
    """`value` without measured times."""
    if isinstance(value, dict):
        return {
            key: unlike_times(inner)
            for key, inner in value.items()
            if not key.endswith("_us") and key != "hangs"
        }
    return [unlike_times(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("behaviour", VENDOR)
def test_both_agents_drive_the_vendors_library_to_the_same_end(boards: list[Board], behaviour: str) -> None:
    model, found = f"STANDIN {behaviour}".encode(), []
    for board in boards:
        result = without_state(board.run(npu="rknn1", model=model, modes=ALL).result())
        found.append(unlike_times(result) if "error" not in result else result["error"]["code"])
    assert found[0] == found[1]


def test_both_agents_gather_the_same_layer_files(boards: list[Board]) -> None:
    runs = [board.run(npu="rknn1", model=b"STANDIN ok", modes=["dump"]) for board in boards]
    c, python = [[entry for entry in outline(run) if entry["event"] == "file"] for run in runs]
    assert c == python


def test_the_python_agent_tells_of_a_full_disk_too(small_disk: Path, tmp_path: Path, library: Path) -> None:
    board = Board(small_disk / "board", python_agent(tmp_path), library)
    board.sim_does("head -c 30000000 /dev/zero > $3/outputs.safetensors")
    error = board.error()
    board.end()
    assert error["code"] == "board:disk-full"
