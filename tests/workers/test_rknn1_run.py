"""A whole visit to a board with Rockchip's 1.7 runtime (its stand-in): the agent's own process, streamed, stored."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard import files
from dashboard.boards.models import Board, Run
from dashboard.boards.services import Measured
from dashboard.layers.models import Rung
from similarity.compare import compare_dumps
from similarity.dumpfile import DumpFile
from tests.boardagent.npuchild import IMAGE, OFFSET, network, read, write
from tests.boardagent.standin import build
from tests.factories import make_artifact, make_board, make_queued_run
from tests.workers.layerdump.test_assemble import KEYS, reference
from workers.errors import JobError
from workers.link.local import LocalLink
from workers.link.results import RunResult
from workers.link.session import BoardSession
from workers.steps.run import measured_from

MODES = ["plain", "timed", "dump", "sequence"]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("librknn_api", tmp_path_factory.mktemp("lib"))


def visit(folder: Path, library: Path, *lines: str, **job: Any) -> RunResult:
    """One run on this machine as the board."""
    artifact, inputs, home = folder / "m.rknn", folder / "i.safetensors", folder / "home"
    artifact.write_text("\n".join(["STANDIN1", *lines, ""]))
    write(inputs, {"image": IMAGE, "offset": OFFSET}, "inputs/1")
    home.mkdir()
    asked: Mapping[str, Any] = {
        "run": "1", "artifact": "artifact.onnx", "inputs": "inputs.safetensors", "npu": "rknn1", "modes": MODES,
        "warmup": 1, "iterations": 4, "sequence": {"repeats": 3, "reloads": 1}, "disk_bytes": 1000, **job,
    }  # fmt: skip
    link = LocalLink({"LAYERWISE_RKNN_LIBRARY": str(library), "RKNN_STANDIN_TRY_MS": "20"})
    sent = {"artifact.onnx": artifact, "inputs.safetensors": inputs}
    into = folder / "results"
    into.mkdir()
    return BoardSession(link, str(home)).run(asked, sent, into, deadline_s=60, fence=1)


def make_run(folder: Path) -> tuple[Run, Board]:
    """A run whose artifact's quantized graph is the stand-in's network."""
    artifact = make_artifact(toolkit="rknn1")
    stored = files.put_path(reference(folder / "quantized"))
    artifact.quantized.sha256 = stored.sha256
    artifact.quantized.save()
    board = make_board(artifact.conversion.project, simulated=False)
    return make_queued_run(artifact, board), board


@pytest.fixture
def measured(db: None, tmp_path: Path, library: Path) -> Measured:
    run, board = make_run(tmp_path)
    return measured_from(run, board, visit(tmp_path, library))


def test_the_outputs_are_the_networks(measured: Measured) -> None:
    found = read(files.existing(measured.outputs_sha256))["map"]
    assert np.abs(found - network()[1]).max() <= 0.0201


def test_times_of_layers_bear_the_quantized_graphs_keys(measured: Measured) -> None:
    found = [(row["key"], row["target"]) for row in measured.timed_layers]
    assert found == [("Conv_conv1_1#1", "TP"), ("conv1", "NN"), ("dw", "NN"), ("pool", "SH")]


def test_the_dump_is_a_boards_and_fits_the_quantized_graph(measured: Measured, tmp_path: Path) -> None:
    assert measured.dump is not None
    assert measured.dump.rung == Rung.BOARD
    with (
        DumpFile.open(tmp_path / "quantized") as one,
        DumpFile.open(files.existing(measured.dump.sha256)) as other,
    ):
        compared = compare_dumps(one, other)
    assert [(layer.reference_key, layer.scores.cosine > 0.9999) for layer in compared.layers] == [
        (key, True) for key in KEYS
    ]


def test_what_a_stand_in_computed_is_called_simulated(measured: Measured) -> None:
    assert (measured.simulated, measured.dump is not None and measured.dump.simulated) == (True, True)


def test_the_sequence_check_is_kept(measured: Measured) -> None:
    assert measured.sequence is not None
    assert [check["name"] for check in measured.sequence] == ["same-input", "alternating", "reload"]


def test_the_fingerprint_names_the_runtime(measured: Measured) -> None:
    assert str(measured.fingerprint_before["npu"]).startswith("1.7.5 (57a4d17")


def test_what_cannot_be_dumped_or_timed_is_no_failure(db: None, tmp_path: Path, library: Path) -> None:
    run, board = make_run(tmp_path)
    found = measured_from(run, board, visit(tmp_path, library, "precompiled 1", "perf null"))
    assert (found.dump, found.timed_layers) == (None, [])


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("init:-3", "board:npu-unavailable"),
        ("init:-4", "board:no-memory"),
        ("init:-13", "board:rejected-artifact"),
        ("exit", "board:npu-exited"),
        ("segv", "board:npu-exited"),
    ],
)
def test_a_fault_of_the_runtime_reaches_the_site_as_its_code(
    tmp_path: Path, library: Path, fault: str, code: str
) -> None:
    with pytest.raises(JobError) as raised:
        visit(tmp_path, library, f"fault {fault}")
    assert raised.value.code == code


def test_a_hang_of_the_runtime_is_told_before_the_deadline_of_the_run(tmp_path: Path, library: Path) -> None:
    with pytest.raises(JobError) as raised:
        visit(tmp_path, library, "fault hang-init", hang_s=1)
    assert raised.value.code == "board:npu-hung"


def test_the_last_lines_of_a_runtime_that_ended_are_told(tmp_path: Path, library: Path) -> None:
    with pytest.raises(JobError, match="failed to open device /dev/galcore"):
        visit(tmp_path, library, "fault exit")
