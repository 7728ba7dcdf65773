"""The virtual NPU: honest integer kernels, every layer timed and dumped, and the declared quirk."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from boardagent import tensorfile
from simboard import npu, quirks
from simboard.artifact import Rejected, load
from simboard.layertimes import layer_of_each_node
from tests.link.artifacts import LAYERS, TRACED, make_artifact, make_inputs, make_job

Report = dict[str, Any]
QUIRK = "transpose-over-4d"


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_artifact(tmp_path_factory.mktemp("traced") / "artifact.onnx")


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_artifact(tmp_path_factory.mktemp("direct") / "artifact.onnx", traced=False)


def execute(artifact: Path, folder: Path, mode: str, *faults: str) -> Report:
    (folder / "job.json").write_text(json.dumps(make_job(artifact=str(artifact))))
    make_inputs(folder / "inputs.safetensors")
    return npu.report(mode, folder, folder, list(faults))


def tensors(folder: Path, report: Report) -> npu.Tensors:
    return npu.read_tensors(folder / ("layers.safetensors" if "format" in report else "outputs.safetensors"))


def outputs(artifact: Path, folder: Path, *faults: str) -> np.ndarray[Any, Any]:
    return tensors(folder, execute(artifact, folder, "plain", *faults))["y"]


def simulation(artifact: Path, folder: Path) -> np.ndarray[Any, Any]:
    """The same file in float arithmetic, without fused kernels."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(str(artifact), options, providers=["CPUExecutionProvider"])
    inputs = npu.read_tensors(make_inputs(folder / "inputs.safetensors"))
    return np.asarray(session.run(None, inputs)[0])


def test_a_healthy_board_agrees_with_the_simulation(traced: Path, tmp_path: Path) -> None:
    scale = load(traced).layers[-1]["scale"]
    difference = np.abs(outputs(traced, tmp_path) - simulation(traced, tmp_path)).max()
    assert difference <= 2.5 * scale


def test_the_quirk_makes_the_traced_route_wrong(traced: Path, tmp_path: Path) -> None:
    assert not np.allclose(outputs(traced, tmp_path, QUIRK), outputs(traced, tmp_path))


def test_the_quirk_keeps_the_numbers_and_changes_their_order(traced: Path, tmp_path: Path) -> None:
    wrong, right = outputs(traced, tmp_path, QUIRK), outputs(traced, tmp_path)
    np.testing.assert_array_equal(np.sort(wrong, axis=None), np.sort(right, axis=None))


def test_the_quirk_leaves_the_direct_route_alone(direct: Path, tmp_path: Path) -> None:
    np.testing.assert_array_equal(outputs(direct, tmp_path, QUIRK), outputs(direct, tmp_path))


def test_both_routes_give_the_same_picture_on_a_healthy_board(
    traced: Path, direct: Path, tmp_path: Path
) -> None:
    np.testing.assert_array_equal(outputs(traced, tmp_path), outputs(direct, tmp_path))


def test_the_quirk_first_shows_at_the_transpose(traced: Path, tmp_path: Path) -> None:
    wrong = tensors(tmp_path, execute(traced, tmp_path, "dump", QUIRK))
    right = tensors(tmp_path, execute(traced, tmp_path, "dump"))
    differing = [key for key, _, _ in LAYERS + TRACED if not np.array_equal(wrong[key], right[key])]
    assert differing == ["permute", "join"]


def test_dumping_does_not_change_the_result(traced: Path, tmp_path: Path) -> None:
    layer = load(traced).layers[-1]
    raw = tensors(tmp_path, execute(traced, tmp_path, "dump"))["join"].astype(np.float32)
    dequantized = (raw - layer["zero_point"]) * np.float32(layer["scale"])
    np.testing.assert_allclose(dequantized, outputs(traced, tmp_path), rtol=1e-6)


def test_a_dump_stays_raw(traced: Path, tmp_path: Path) -> None:
    dump = tensors(tmp_path, execute(traced, tmp_path, "dump"))
    assert {array.dtype.name for array in dump.values()} == {"uint8"}


def test_a_dump_says_that_it_is_simulated(traced: Path, tmp_path: Path) -> None:
    execute(traced, tmp_path, "dump")
    with tensorfile.TensorFile(str(tmp_path / "layers.safetensors")) as file:
        assert (file.metadata["rung"], file.metadata["simulated"]) == ("board", "yes")


def test_a_dump_lists_the_layers_of_the_artifact(traced: Path, tmp_path: Path) -> None:
    execute(traced, tmp_path, "dump")
    with tensorfile.TensorFile(str(tmp_path / "layers.safetensors")) as file:
        listed = json.loads(file.metadata["layers"])
    kept = [{key: value for key, value in layer.items() if key != "tensor"} for layer in load(traced).layers]
    assert listed == kept


def test_every_layer_takes_time(traced: Path, tmp_path: Path) -> None:
    rows = execute(traced, tmp_path, "timed")["layers"]
    assert [row["key"] for row in rows if row["time_us"] > 0] == [key for key, _, _ in LAYERS + TRACED]


def test_convolutions_run_on_integer_kernels(traced: Path, tmp_path: Path) -> None:
    rows = execute(traced, tmp_path, "timed")["layers"]
    assert {row["target"] for row in rows if row["op"] == "Conv"} == {"CPU QLinearConv"}


def test_the_layers_together_take_no_longer_than_the_whole(traced: Path, tmp_path: Path) -> None:
    report = execute(traced, tmp_path, "timed")
    assert sum(row["time_us"] for row in report["layers"]) <= 1.2 * report["total_us"]


def test_a_node_belongs_to_the_layer_it_helps_to_make(traced: Path) -> None:
    artifact = load(traced)
    owners = layer_of_each_node(artifact.model, {layer["tensor"]: layer["key"] for layer in artifact.layers})
    assert (owners["x_QuantizeLinear"], owners["c1_DequantizeLinear"], owners["y_DequantizeLinear"]) == (
        "conv1",
        "prelu1",
        "join",
    )


def test_everything_it_says_is_labelled_simulated(traced: Path, tmp_path: Path) -> None:
    about = execute(traced, tmp_path, "plain", QUIRK)["npu"]
    assert (about["simulated"], about["quirks"]) == (True, [QUIRK])


def test_a_file_that_is_no_artifact_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"RKNN\0\0")
    assert execute(tmp_path / "bad", tmp_path, "plain")["error"]["code"] == "board:rejected-artifact"


def test_an_artifact_whose_layers_are_not_in_the_graph_is_rejected(traced: Path, tmp_path: Path) -> None:
    model = onnx.load(traced)
    for entry in model.metadata_props:
        if entry.key == "layers":
            entry.value = entry.value.replace("c1_QuantizeLinear_Output", "nowhere")
    onnx.save(model, tmp_path / "lost.onnx")
    with pytest.raises(Rejected, match="conv1"):
        load(tmp_path / "lost.onnx")


def test_inputs_that_do_not_fit_are_the_npus_failure(traced: Path, tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(json.dumps(make_job(artifact=str(traced))))
    tensorfile.write(str(tmp_path / "inputs.safetensors"), [("x", "F32", (1,), b"\0" * 4)])
    assert npu.report("plain", tmp_path, tmp_path, [])["error"]["code"] == "board:npu-failed"


def test_an_unknown_quirk_is_refused() -> None:
    with pytest.raises(KeyError):
        quirks.apply(["works-on-mondays"], onnx.ModelProto())


def test_a_sequence_has_its_three_checks(traced: Path, tmp_path: Path) -> None:
    checks = execute(traced, tmp_path, "sequence")["checks"]
    assert [(check["name"], check["runs"]) for check in checks] == [
        ("same-input", 10),
        ("alternating", 10),
        ("reload", 3),
    ]


def test_the_virtual_npu_gives_the_same_bits_every_time(traced: Path, tmp_path: Path) -> None:
    checks = execute(traced, tmp_path, "sequence")["checks"]
    assert [check["differing"] for check in checks] == [[], [], []]


def test_a_probe_needs_no_job(tmp_path: Path) -> None:
    assert npu.report("probe", tmp_path, tmp_path, [])["npu"]["simulated"]


def test_an_execution_that_differs_is_found() -> None:
    first, other = np.zeros(3, np.float32), np.array([0, 0, 2], np.float32)
    found = npu.check("same-input", [([first], 1.0), ([other], 1.0), ([first], 20.0)], [first])
    assert (found["differing"], found["max_difference"], found["hangs"]) == ([1], 2.0, 1)
