"""Sources that were quantized before, and sources whose names are those that a quantizer gives: made here, converted
for real."""

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from similarity.dumpfile import DumpFile
from similarity.metrics import core_scores
from tests.toolkits.networks import constant, convert, network, random_samples
from workers.jobfolder import JobFolder
from workers.toolkits.onnxjob.graph import sort_nodes
from workers.toolkits.onnxjob.jobside import Refused

SHAPE = {"x": (1, 8)}


def scalar(name: str, value: float, kind: type = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.array(value, kind), name)


def pair(name: str, behind: str) -> list:
    """A QuantizeLinear and a DequantizeLinear at the tensor `name`, named as onnxruntime does it."""
    steps = [f"{name}_scale", f"{name}_zero_point"]
    return [
        helper.make_node(
            "QuantizeLinear", [name, *steps], [f"{name}_QuantizeLinear_Output"], f"{name}_QuantizeLinear"
        ),
        helper.make_node(
            "DequantizeLinear", [f"{name}_QuantizeLinear_Output", *steps], [behind], f"{name}_DQ"
        ),
    ]


def steps_of(name: str, scale: float) -> list[TensorProto]:
    return [scalar(f"{name}_scale", scale), scalar(f"{name}_zero_point", 128, np.uint8)]


def quantized_before() -> ModelProto:
    """MatMul and Reshape with pairs around, as static quantization leaves them; the pair at h lets -2 to 2 through."""
    nodes = [
        *pair("x", "x_dq"),
        helper.make_node("MatMul", ["x_dq", "w"], ["h"], "mm"),
        *pair("h", "h_dq"),
        helper.make_node("Reshape", ["h_dq", "to"], ["r"], "turn"),
        helper.make_node("Transpose", ["r"], ["t"], "across", perm=[0, 2, 1]),
        helper.make_node("Sigmoid", ["t"], ["y"], "end"),
    ]
    constants = [
        constant("w", (8, 8), 3, 1.0),
        numpy_helper.from_array(np.array([1, 2, 4], np.int64), "to"),
        *steps_of("x", 4 / 128),
        *steps_of("h", 2 / 128),
    ]
    return network(nodes, inputs=SHAPE, outputs=["y"], initializers=constants)


def quantizing_itself() -> ModelProto:
    """What dynamic quantization leaves: numbers are quantized while the network runs, by tensors named like ours."""
    steps = ["h_scale", "h_zero_point"]
    nodes = [
        helper.make_node("Relu", ["x"], ["h"], "h_QuantizeLinear"),
        helper.make_node("DynamicQuantizeLinear", ["h"], ["h_quantized", *steps], "h_QuantizeLinear'"),
        helper.make_node("MatMulInteger", ["h_quantized", "w", "h_zero_point"], ["product"], "mm"),
        helper.make_node("Cast", ["product"], ["as_float"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["as_float", "h_scale"], ["scaled"], "mul"),
        helper.make_node("Add", ["scaled", "h"], ["y"], "add"),
    ]
    weight = numpy_helper.from_array(np.random.default_rng(1).integers(-9, 9, (8, 8)).astype(np.int8), "w")
    return network(nodes, inputs=SHAPE, outputs=["y"], initializers=[weight])


def biases_with_numbers() -> ModelProto:
    """One bias of two layers, whose copy would be called like a tensor that is there: b and b0."""
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["b0"], "one"),
        helper.make_node("Conv", ["b0", "v", "b"], ["c"], "two"),
        helper.make_node("Relu", ["c"], ["y"], "end"),
    ]
    constants = [constant("w", (3, 3, 1, 1)), constant("v", (3, 3, 1, 1), 1, 2.0), constant("b", (3,))]
    return network(nodes, inputs={"x": (1, 3, 4, 4)}, outputs=["y"], initializers=constants)


def last_cosine(folder: JobFolder, model: ModelProto) -> float:
    """Of the output, framework to quantized."""
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input}
    converted = convert(folder, model, random_samples(shapes))
    with DumpFile.open(converted.dumps["framework"]) as a, DumpFile.open(converted.dumps["quantized"]) as b:
        key = a.layers[-1].key
        assert b.layers[-1].scale is not None
        return float(core_scores(a.values(key), b.values(key)).cosine)


@pytest.mark.parametrize("make", [quantized_before, quantizing_itself, biases_with_numbers])
def test_it_converts_and_its_output_stays_what_it_was(folder, make):
    assert last_cosine(folder, make()) > 0.999


def test_a_pair_of_the_source_gives_way_to_one_with_the_range_that_it_let_through(folder):
    converted = convert(folder, quantized_before(), random_samples(SHAPE, 8))
    with DumpFile.open(converted.dumps["quantized"]) as dump:
        (layer,) = [one for one in dump.layers if one.name == "mm"]
        ends = [(value - layer.zero_point) * layer.scale for value in (layer.qmin, layer.qmax)]
    assert -2.02 < ends[0] < -1.8 and 1.8 < ends[1] < 2.02


def test_nodes_in_a_ring_are_refused_and_not_sorted_forever():
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    graph = helper.make_graph(nodes, "ring", [], [])
    with pytest.raises(Refused) as caught:
        sort_nodes(graph)
    assert caught.value.code == "toolkit:own-fault"
