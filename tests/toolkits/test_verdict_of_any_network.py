"""Networks that are not the example, from the source to the verdict: a healthy simulated board is never blamed, and
one with the quirk is blamed at the layer that it gets wrong.

Toolkit and NPU work in this process; their subprocesses are tested elsewhere.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from simboard import npu
from similarity.compare import Comparison, compare_dumps
from similarity.dumpfile import DumpFile
from similarity.verdict import Verdict, judge
from tests.toolkits.networks import constant, network, random_samples, samples_file
from workers.toolkits import reference_job
from workers.toolkits.onnxjob.jobside import Refused

QUIRK = "transpose-over-4d"
Samples = list[dict[str, np.ndarray]]


@dataclass(frozen=True)
class Outcome:
    """What came of one network on one board."""

    quantization: Comparison
    board: Comparison
    verdict: Verdict


def evaluate(folder: Path, model: onnx.ModelProto, samples: Samples, *quirks: str) -> Outcome:
    convert(folder, model, samples)
    job = {"artifact": "artifact.onnx", "inputs": "inputs.safetensors", "warmup": 0, "iterations": 1}
    (folder / "job.json").write_text(json.dumps(job))
    for mode in ("plain", "timed", "dump"):
        assert "error" not in npu.report(mode, folder, folder, list(quirks))
    with (
        DumpFile.open(folder / "framework.safetensors") as framework,
        DumpFile.open(folder / "quantized.safetensors") as quantized,
        DumpFile.open(folder / "layers.safetensors") as board,
    ):
        steps = compare_dumps(framework, quantized), compare_dumps(quantized, board)
    return Outcome(*steps, judge(*steps))


def convert(folder: Path, model: onnx.ModelProto, samples: Samples) -> dict[str, Any]:
    (folder / "source.onnx").write_bytes(model.SerializeToString())
    samples_file(folder / "samples.safetensors", samples)
    files = {
        "source": "source.onnx",
        "calibration": "samples.safetensors",
        "evaluation": "samples.safetensors",
    }
    return reference_job.convert(folder, {**files, "sample": 0, "recipe": {}})


def node(operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, outputs, outputs[0], **attributes)


def int64(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def float32(name: str, values: Any) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.float32), name)


def perceptron() -> tuple[onnx.ModelProto, Samples]:
    """A thousand classes, all about equally likely."""
    nodes = [node("Gemm", ["x", "w"], ["logits"]), node("Softmax", ["logits"], ["y"], axis=1)]
    weights = [constant("w", (16, 1000), scale=0.05)]
    model = network(nodes, inputs={"x": (1, 16)}, outputs=["y"], initializers=weights)
    return model, random_samples({"x": (1, 16)}, 5)


def masked_attention() -> tuple[onnx.ModelProto, Samples]:
    """Attention under a mask of -Inf, whose scores are not finite and whose result is."""
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        node("MatMul", ["x", "t"], ["products"]),
        node("Where", ["mask", "products", "never"], ["scores"]),
        node("Softmax", ["scores"], ["weights"], axis=-1),
        node("MatMul", ["weights", "x"], ["y"]),
    ]
    model = network(
        nodes,
        inputs={"x": (1, 6, 8), "mask": (1, 1, 6)},
        outputs=["y"],
        initializers=[float32("never", -np.inf)],
        types={"mask": TensorProto.BOOL},
    )
    mask = np.array([True] * 4 + [False] * 2).reshape(1, 1, 6)
    return model, [{**sample, "mask": mask} for sample in random_samples({"x": (1, 6, 8)})]


def recurrent() -> tuple[onnx.ModelProto, Samples]:
    nodes = [node("LSTM", ["x", "w", "r"], ["h"], hidden_size=8), node("Sigmoid", ["h"], ["y"])]
    weights = [constant("w", (1, 32, 4), 1), constant("r", (1, 32, 8), 2, 0.2)]
    model = network(nodes, inputs={"x": (5, 1, 4)}, outputs=["y"], initializers=weights)
    return model, random_samples({"x": (5, 1, 4)})


def random_numbers() -> tuple[onnx.ModelProto, Samples]:
    nodes = [node("RandomNormalLike", ["x"], ["noise"]), node("Add", ["x", "noise"], ["y"])]
    return network(nodes, inputs={"x": (1, 8)}, outputs=["y"]), random_samples({"x": (1, 8)})


def logarithms_of_zero() -> tuple[onnx.ModelProto, Samples]:
    nodes = [node("Relu", ["x"], ["r"]), node("Log", ["r"], ["l"]), node("Exp", ["l"], ["y"])]
    return network(nodes, inputs={"x": (1, 64)}, outputs=["y"]), random_samples({"x": (1, 64)})


def generated_weights() -> tuple[onnx.ModelProto, Samples]:
    """A convolution whose weights a node makes, and whose bias lies in the file."""
    value = numpy_helper.from_array(np.array([0.02], np.float32))
    nodes = [
        node("ConstantOfShape", ["shape"], ["w"], value=value),
        node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1]),
    ]
    weights = [int64("shape", 8, 3, 3, 3), constant("b", (8,))]
    model = network(nodes, inputs={"x": (1, 3, 8, 8)}, outputs=["y"], initializers=weights)
    return model, random_samples({"x": (1, 3, 8, 8)})


@pytest.mark.parametrize(
    "make",
    [perceptron, masked_attention, recurrent, random_numbers, logarithms_of_zero, generated_weights],
)
def test_a_healthy_board_and_a_fair_quantization_pass(tmp_path, make):
    verdict = evaluate(tmp_path, *make()).verdict
    assert (verdict.outcome, verdict.step, verdict.first_bad_layer) == ("pass", None, None)


def test_weights_that_a_node_makes_are_quantized(tmp_path):
    convert(tmp_path, *generated_weights())
    operators = [entry.op_type for entry in onnx.load(tmp_path / "artifact.onnx").graph.node]
    assert "ConstantOfShape" not in operators


def shuffled(axes: tuple[int, ...], perm: list[int]) -> tuple[onnx.ModelProto, Samples]:
    """A convolution, a transpose of more than four dimensions, and another convolution."""
    turned = [axes[axis] for axis in perm]
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        node("Reshape", ["c", "axes"], ["split"]),
        node("Transpose", ["split"], ["turned"], perm=perm),
        node("Reshape", ["turned", "back"], ["joined"]),
        node("Conv", ["joined", "v"], ["y"]),
    ]
    back = (1, 16, 8, 8) if len(turned) == 5 else (1, 64, 4, 4)
    weights = [constant("w", (16, 3, 3, 3), 1), constant("v", (4, back[1], 1, 1), 2)]
    shapes = [int64("axes", *axes), int64("back", *back)]
    model = network(nodes, inputs={"x": (1, 3, 8, 8)}, outputs=["y"], initializers=[*weights, *shapes])
    return model, random_samples({"x": (1, 3, 8, 8)})


SHUFFLES = [
    ((1, 4, 4, 8, 8), [0, 2, 1, 3, 4]),  # channel shuffle
    ((1, 16, 4, 2, 4, 2), [0, 1, 3, 5, 2, 4]),  # space to depth
]


@pytest.mark.parametrize(("axes", "perm"), SHUFFLES)
def test_the_quirk_is_found_at_the_transpose(tmp_path, axes, perm):
    verdict = evaluate(tmp_path, *shuffled(axes, perm), QUIRK).verdict
    assert (verdict.step, verdict.first_bad_layer) == ("board", "turned")


@pytest.mark.parametrize(("axes", "perm"), SHUFFLES)
def test_the_quirks_sentence_says_same_numbers_different_order(tmp_path, axes, perm):
    assert (
        "same numbers, different order" in evaluate(tmp_path, *shuffled(axes, perm), QUIRK).verdict.sentence
    )


@pytest.mark.parametrize(("axes", "perm"), SHUFFLES)
def test_without_the_quirk_the_same_network_passes(tmp_path, axes, perm):
    assert evaluate(tmp_path, *shuffled(axes, perm)).verdict.outcome == "pass"


def test_the_quirk_also_finds_a_transpose_that_does_not_say_its_order(tmp_path):
    nodes = [node("Transpose", ["x"], ["t"]), node("Tanh", ["t"], ["y"])]
    model = network(nodes, inputs={"x": (2, 3, 2, 3, 2)}, outputs=["y"])
    found = evaluate(tmp_path, model, random_samples({"x": (2, 3, 2, 3, 2)}), QUIRK)
    assert found.verdict.first_bad_layer == "t"


def test_the_quirk_shows_in_a_tensor_that_hardly_varies(tmp_path):
    nodes = [node("Add", ["x", "much"], ["a"]), node("Transpose", ["a"], ["t"], perm=[0, 1, 2, 4, 3])]
    model = network(nodes, inputs={"x": (1, 2, 2, 6, 5)}, outputs=["t"], initializers=[float32("much", 30)])
    found = evaluate(tmp_path, model, random_samples({"x": (1, 2, 2, 6, 5)}), QUIRK)
    assert (found.verdict.first_bad_layer, found.board.layers[-1].order_is_fault) == ("t", True)


def test_weights_that_do_not_fit_8_bits_fail_quantization(tmp_path):
    first = numpy_helper.to_array(constant("w", (8, 3, 3, 3))).copy()
    first[0] *= 5000
    second = numpy_helper.to_array(constant("v", (4, 8, 1, 1))).copy()
    second[:, 0] = 0
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Conv", ["c", "v"], ["y"])]
    weights = [float32("w", first), float32("v", second)]
    model = network(nodes, inputs={"x": (1, 3, 8, 8)}, outputs=["y"], initializers=weights)
    verdict = evaluate(tmp_path, model, random_samples({"x": (1, 3, 8, 8)})).verdict
    assert (verdict.outcome, verdict.step, verdict.first_bad_layer) == ("fail", "quantization", "y")


def test_outputs_that_no_tensor_file_can_hold_do_not_stop_a_run(tmp_path):
    nodes = [node("Tanh", ["x"], ["y"]), node("Cast", ["y"], ["text"], to=TensorProto.STRING)]
    model = network(nodes, inputs={"x": (1, 4)}, outputs=["y", "text"], types={"text": TensorProto.STRING})
    assert evaluate(tmp_path, model, random_samples({"x": (1, 4)})).verdict.outcome == "pass"


def test_double_precision_comes_home_from_the_board(tmp_path):
    nodes = [
        node("Cast", ["x"], ["d"], to=TensorProto.DOUBLE),
        node("Cast", ["d"], ["y"], to=TensorProto.FLOAT),
    ]
    model = network(nodes, inputs={"x": (1, 4)}, outputs=["y"])
    assert evaluate(tmp_path, model, random_samples({"x": (1, 4)})).verdict.outcome == "pass"


def test_a_scalar_stays_one_on_the_way(tmp_path):
    model = network([node("Tanh", ["x"], ["y"])], inputs={"x": ()}, outputs=["y"])
    samples = [{"x": np.array(value, np.float32)} for value in (0.5, -1)]
    assert [layer.shape for layer in evaluate(tmp_path, model, samples).board.layers] == [(), ()]


def test_a_rank_that_only_an_execution_tells_is_measured(tmp_path):
    nodes = [
        node("Shape", ["x"], ["size"]),
        node("Gather", ["size", "first"], ["batch"]),
        node("Concat", ["batch", "rest"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["flat"]),
        node("Tanh", ["flat"], ["y"]),
    ]
    constants = [int64("first", 0), int64("rest", -1)]
    model = network(nodes, inputs={"x": (2, 3, 4)}, outputs=["y"], initializers=constants)
    found = evaluate(tmp_path, model, random_samples({"x": (2, 3, 4)}))
    assert found.board.layers[-1].shape == (2, 12)


def test_a_network_of_integers_has_nothing_to_compare(tmp_path):
    model = network(
        [node("Add", ["x", "x"], ["y"])],
        inputs={"x": (4,)},
        outputs=["y"],
        types={"x": TensorProto.INT64, "y": TensorProto.INT64},
    )
    with pytest.raises(Refused) as caught:
        convert(tmp_path, model, [{"x": np.arange(4)}])
    assert caught.value.code == "model:nothing-to-compare"


@pytest.mark.parametrize(
    "names", [["__metadata__", "x" * 700 + "a", "x" * 700 + "b"], ["Conv_1", "Conv_2", "Conv#2"]]
)
def test_keys_are_different_and_short_enough_to_store(tmp_path, names):
    tensors = ["x", *(f"t{index}" for index in range(len(names)))]
    nodes = [
        helper.make_node("Tanh", [tensors[index]], [tensors[index + 1]], name)
        for index, name in enumerate(names)
    ]
    model = network(nodes, inputs={"x": (1, 4)}, outputs=[tensors[-1]])
    keys = [
        layer.reference_key for layer in evaluate(tmp_path, model, random_samples({"x": (1, 4)})).board.layers
    ]
    assert (len(set(keys)), max(map(len, keys)) <= 250) == (len(names) + 1, True)


def test_a_dropout_in_training_mode_is_taken_as_in_inference(tmp_path):
    nodes = [node("Dropout", ["x", "half", "yes"], ["d"]), node("Tanh", ["d"], ["y"])]
    yes = numpy_helper.from_array(np.array(True), "yes")
    model = network(nodes, inputs={"x": (1, 8)}, outputs=["y"], initializers=[float32("half", 0.5), yes])
    assert evaluate(tmp_path, model, random_samples({"x": (1, 8)})).verdict.outcome == "pass"


def test_what_leads_to_no_output_is_no_layer(tmp_path):
    nodes = [node("Relu", ["x"], ["r"]), node("Log", ["r"], ["unused"]), node("Tanh", ["r"], ["y"])]
    model = network(nodes, inputs={"x": (1, 8)}, outputs=["y"])
    found = evaluate(tmp_path, model, random_samples({"x": (1, 8)}))
    assert [layer.reference_key for layer in found.board.layers] == ["x", "r", "y"]
