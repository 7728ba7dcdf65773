"""The NPU that computes nothing, and the artificial length of a run: many boards on a small machine."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from boardagent import tensorfile
from dashboard.layers.services import DumpFile
from tests.link.artifacts import make_inputs, make_job
from tests.link.board import ROOT, running_board
from workers.link.results import RunResult
from workers.link.session import BoardSession


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Any artifact will do."""
    (tmp_path / "artifact.onnx").write_bytes(b"any")
    return {
        "artifact.onnx": tmp_path / "artifact.onnx",
        "inputs.safetensors": make_inputs(tmp_path / "inputs.safetensors"),
    }


def run_on_null(folder: Path, files: dict[str, Path], *options: str, **job: object) -> RunResult:
    (folder / "results").mkdir(exist_ok=True)
    with (
        running_board(folder / "board", "--sshd", "paramiko", "--npu", "null", *options) as board,
        board.connect() as link,
    ):
        session = BoardSession(link, board.workdir)
        return session.run(make_job(**job), files, folder / "results", deadline_s=60, fence=1)


def test_it_gives_every_part_of_a_result(tmp_path: Path, files: dict[str, Path]) -> None:
    found = run_on_null(tmp_path, files, modes=["plain", "timed", "dump", "sequence"])
    assert None not in (found.plain, found.timed, found.dump, found.sequence)


def test_its_dump_can_be_read(tmp_path: Path, files: dict[str, Path]) -> None:
    found = run_on_null(tmp_path, files, modes=["dump"])
    assert isinstance(found.dump, Path)
    with DumpFile.open(found.dump) as dump:
        assert (dump.rung, dump.simulated, [layer.key for layer in dump.layers]) == ("board", True, ["all"])


def test_it_says_that_it_is_simulated_and_computes_nothing(tmp_path: Path, files: dict[str, Path]) -> None:
    found = run_on_null(tmp_path, files, modes=["plain"])
    assert (found.simulated, "computes nothing" in found.fingerprint.before["npu"]) == (True, True)


def test_its_outputs_are_the_same_for_the_same_artifact_only(tmp_path: Path, files: dict[str, Path]) -> None:
    outputs = []
    for artifact in (b"one", b"one", b"two"):
        files["artifact.onnx"].write_bytes(artifact)
        plain = run_on_null(tmp_path, files, modes=["plain"]).plain
        assert plain is not None
        with tensorfile.TensorFile(str(plain.outputs)) as file:
            outputs.append(file.read("y"))
    assert (outputs[0] == outputs[1], outputs[0] == outputs[2]) == (True, False)


def test_a_normal_run_takes_longer_by_the_seconds_that_were_told(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    start = time.monotonic()
    run_on_null(tmp_path, files, "--board-seconds", "1.5", modes=["plain"])
    assert time.monotonic() - start >= 1.5


def test_the_other_modes_do_not(tmp_path: Path, files: dict[str, Path]) -> None:
    start = time.monotonic()
    run_on_null(tmp_path, files, "--board-seconds", "30", modes=["dump"])
    assert time.monotonic() - start < 20


def test_it_loads_nothing_large() -> None:
    code = "import sys, simboard.null, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert not {"numpy", "onnx", "onnxruntime", "paramiko"} & set(json.loads(done.stdout))


def test_a_board_itself_loads_no_onnx() -> None:
    code = "import sys, simboard.__main__, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert not {"numpy", "onnx", "onnxruntime", "paramiko"} & set(json.loads(done.stdout))
