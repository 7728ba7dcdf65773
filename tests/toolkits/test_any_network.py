"""Odd but legal networks convert: ranks, types, several inputs, control flow, old opsets, constants, zeros."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from similarity.dumpfile import DumpFile
from tests.toolkits.networks import constant, convert, network, one_op, random_samples
from workers.errors import JobError
from workers.toolkits.onnxjob.execute import Observed, groups
from workers.toolkits.onnxjob.layers import key_of


def float32(name: str, values) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values, np.float32), name)


def int64(name: str, values) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values, np.int64), name)


def node(operator, inputs, outputs, name="", **attributes):
    return helper.make_node(operator, inputs, outputs, name, **attributes)


def layers(folder, model, samples, **recipe):
    """(key, op, is quantized) of every layer after a real conversion."""
    converted = convert(folder, model, samples, **recipe)
    with DumpFile.open(converted.dumps["quantized"]) as dump:
        return [(layer.key, layer.op, layer.scale is not None) for layer in dump.layers]


@pytest.mark.parametrize(
    "shape", [(4,), (1, 4), (2, 3, 4), (1, 2, 3, 4), (1, 2, 2, 2, 2), (1, 2, 2, 2, 2, 2)]
)
def test_any_number_of_dimensions(folder, shape):
    assert layers(folder, one_op("Sigmoid", shape), random_samples({"x": shape}))[-1] == (
        "Sigmoid",
        "Sigmoid",
        True,
    )


@pytest.mark.parametrize("opset", [7, 8, 9, 10, 11, 12, 13, 17, 18, 20, 21])
def test_opsets_from_7_to_21(folder, opset):
    nodes = [
        node("Conv", ["x", "w"], ["c"], "conv"),
        node("Relu", ["c"], ["r"]),
        node("GlobalAveragePool", ["r"], ["y"], "gap"),
    ]
    model = network(
        nodes,
        inputs={"x": (1, 3, 4, 4)},
        outputs=["y"],
        initializers=[constant("w", (4, 3, 3, 3))],
        opset=opset,
    )
    assert [op for _, op, _ in layers(folder, model, random_samples({"x": (1, 3, 4, 4)}))] == [
        "Input",
        "Conv",
        "GlobalAveragePool",
    ]


def test_initializers_that_are_also_inputs(folder):
    nodes = [node("MatMul", ["x", "w"], ["y"], "mm")]
    model = network(
        nodes,
        inputs={"x": (1, 4), "w": (4, 2)},
        outputs=["y"],
        initializers=[constant("w", (4, 2))],
        opset=9,
        ir_version=3,
    )
    assert layers(folder, model, random_samples({"x": (1, 4)})) == [
        ("x", "Input", True),
        ("mm", "MatMul", True),
    ]


def test_several_inputs_and_outputs(folder):
    nodes = [node("Add", ["a", "b"], ["s"], "add"), node("Mul", ["a", "b"], ["p"], "mul")]
    model = network(nodes, inputs={"a": (1, 4), "b": (1, 4)}, outputs=["s", "p"])
    found = layers(folder, model, random_samples({"a": (1, 4), "b": (1, 4)}))
    assert found == [("a", "Input", True), ("b", "Input", True), ("add", "Add", True), ("mul", "Mul", True)]


def test_a_node_with_several_outputs(folder):
    model = network(
        [node("Split", ["x"], ["p", "q"], "cut", axis=1)], inputs={"x": (1, 4)}, outputs=["p", "q"]
    )
    assert [key for key, _, _ in layers(folder, model, random_samples({"x": (1, 4)}))] == [
        "x",
        "cut",
        "cut:1",
    ]


def test_a_layer_that_is_all_zero(folder):
    nodes = [node("Mul", ["x", "zero"], ["z"], "mul"), node("Add", ["z", "x"], ["y"], "add")]
    model = network(nodes, inputs={"x": (1, 4)}, outputs=["y"], initializers=[float32("zero", 0)])
    converted = convert(folder, model, random_samples({"x": (1, 4)}))
    with DumpFile.open(converted.dumps["quantized"]) as dump:
        assert not dump.values("mul").any()


def test_scalars_between_layers(folder):
    nodes = [node("ReduceMean", ["x"], ["m"], "mean", keepdims=0), node("Sub", ["x", "m"], ["y"], "sub")]
    model = network(nodes, inputs={"x": (1, 4)}, outputs=["y"])
    assert ("mean", "ReduceMean", True) in layers(folder, model, random_samples({"x": (1, 4)}))


def test_shapes_computed_in_the_graph_are_no_layers(folder):
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["f", "two"], ["d"], "double"),
        node("Cast", ["d"], ["n"], to=TensorProto.INT64),
        node("Resize", ["x", "", "", "n"], ["y"], "resize", mode="nearest"),
    ]
    model = network(
        nodes, inputs={"x": (1, 1, 2, 2)}, outputs=["y"], initializers=[float32("two", [1, 1, 2, 2])]
    )
    assert [key for key, _, _ in layers(folder, model, random_samples({"x": (1, 1, 2, 2)}))] == [
        "x",
        "resize",
    ]


def test_integer_and_bool_tensors_are_not_dumped(folder):
    nodes = [
        node("ArgMax", ["x"], ["i"], "argmax", axis=1),
        node("Greater", ["x", "half"], ["mask"], "greater"),
        node("Where", ["mask", "x", "half"], ["y"], "where"),
    ]
    model = network(
        nodes,
        inputs={"x": (1, 4)},
        outputs=["y", "i"],
        initializers=[float32("half", 0.5)],
        types={"i": TensorProto.INT64},
    )
    assert layers(folder, model, random_samples({"x": (1, 4)})) == [
        ("x", "Input", False),
        ("where", "Where", False),
    ]


def test_integer_inputs(folder):
    nodes = [node("Gather", ["table", "ids"], ["e"], "embed"), node("Relu", ["e"], ["y"], "relu")]
    model = network(
        nodes,
        inputs={"ids": (3,)},
        outputs=["y"],
        initializers=[constant("table", (5, 4))],
        types={"ids": TensorProto.INT64},
    )
    found = layers(folder, model, [{"ids": np.array([0, 4, 2], np.int64)}])
    assert [key for key, _, _ in found] == ["embed"] or [key for key, _, _ in found] == ["embed", "relu"]


def test_text_between_nodes(folder):
    nodes = [
        node("Cast", ["x"], ["t"], to=TensorProto.STRING),
        node("Cast", ["t"], ["f"], "back", to=TensorProto.FLOAT),
    ]
    model = network(nodes, inputs={"x": (1, 4)}, outputs=["f"])
    assert [key for key, _, _ in layers(folder, model, random_samples({"x": (1, 4)}))] == ["x", "back"]


def test_control_flow_stays_float(folder):
    def branch(name, operator):
        inner = helper.make_node(operator, ["r"], [name])
        return helper.make_graph(
            [inner], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 4))]
        )

    nodes = [
        node("Relu", ["x"], ["r"], "relu"),
        node("ReduceSum", ["r"], ["total"], "sum", keepdims=0),
        node("Greater", ["total", "half"], ["c"], "greater"),
        node("If", ["c"], ["y"], "if", then_branch=branch("a", "Neg"), else_branch=branch("b", "Abs")),
    ]
    model = network(nodes, inputs={"x": (1, 4)}, outputs=["y"], initializers=[float32("half", 0.5)])
    assert layers(folder, model, random_samples({"x": (1, 4)}))[-1] == ("if", "If", False)


def test_a_steep_function_stays_float_between_quantized_layers(folder):
    nodes = [
        node("Relu", ["x"], ["r"], "relu"),
        node("Exp", ["r"], ["e"], "exp"),
        node("Neg", ["e"], ["y"], "neg"),
    ]
    model = network(nodes, inputs={"x": (1, 4)}, outputs=["y"])
    assert ("relu", "Relu", True) in layers(folder, model, random_samples({"x": (1, 4)}))


def test_constants_as_nodes(folder):
    nodes = [
        node("Constant", [], ["w"], value=constant("w", (4, 3))),
        node("Constant", [], ["k"], value_float=2.0),
        node("MatMul", ["x", "w"], ["m"], "mm"),
        node("Mul", ["m", "k"], ["y"], "mul"),
    ]
    model = network(nodes, inputs={"x": (1, 4)}, outputs=["y"])
    assert [key for key, _, _ in layers(folder, model, random_samples({"x": (1, 4)}))] == ["x", "mm", "mul"]


def test_nodes_without_names_or_with_the_same_name(folder):
    nodes = [node("Neg", ["x"], ["a"]), node("Abs", ["a"], ["b"], "same"), node("Neg", ["b"], ["y"], "same")]
    found = layers(folder, network(nodes, inputs={"x": (1, 4)}, outputs=["y"]), random_samples({"x": (1, 4)}))
    assert [key for key, _, _ in found] == ["x", "a", "same", "y"]


def test_a_batch_normalization_is_folded_into_its_convolution(folder):
    nodes = [
        node("Conv", ["x", "w"], ["c"], "conv"),
        node("BatchNormalization", ["c", "g", "b", "m", "v"], ["n"], "bn"),
        node("Relu", ["n"], ["y"], "relu"),
    ]
    numbers = [
        float32(name, values)
        for name, values in (("g", [1, 2]), ("b", [0, 1]), ("m", [0.5, 0]), ("v", [1, 4]))
    ]
    model = network(
        nodes, inputs={"x": (1, 3, 4, 4)}, outputs=["y"], initializers=[constant("w", (2, 3, 1, 1)), *numbers]
    )
    converted = convert(folder, model, random_samples({"x": (1, 3, 4, 4)}))
    with (
        DumpFile.open(converted.dumps["framework"]) as floats,
        DumpFile.open(converted.dumps["quantized"]) as steps,
    ):
        assert floats.layers[-1].sources == ("conv", "bn", "relu")
        np.testing.assert_allclose(floats.values("conv"), steps.values("conv"), atol=0.1)


def test_values_that_are_not_finite_stay_float(folder):
    nodes = [node("Div", ["x", "zero"], ["i"], "div"), node("Sigmoid", ["i"], ["y"], "sig")]
    model = network(nodes, inputs={"x": (1, 4)}, outputs=["y"], initializers=[float32("zero", 0)])
    found = layers(folder, model, random_samples({"x": (1, 4)}))
    assert found == [("x", "Input", False), ("div", "Div", False), ("sig", "Sigmoid", False)]


def test_half_and_double_precision_are_dumped_but_not_quantized(folder):
    nodes = [
        node("Cast", ["x"], ["h"], "half", to=TensorProto.FLOAT16),
        node("Cast", ["x"], ["d"], "double", to=TensorProto.DOUBLE),
        node("Cast", ["h"], ["y"], "back", to=TensorProto.FLOAT),
    ]
    model = network(nodes, inputs={"x": (1, 4)}, outputs=["y", "d"], types={"d": TensorProto.DOUBLE})
    assert [quantized for _, _, quantized in layers(folder, model, random_samples({"x": (1, 4)}))] == [
        False
    ] * 4


def test_shapes_that_only_an_execution_can_tell(folder):
    nodes = [
        node("Greater", ["x", "zero"], ["m"], "gt"),
        node("Compress", ["x", "m"], ["c"], "compress"),
        node("Neg", ["c"], ["y"], "neg"),
    ]
    model = network(nodes, inputs={"x": (4,)}, outputs=["y"], initializers=[float32("zero", 0)])
    samples = [{"x": np.array([1, -1, 2, 3], np.float32)}]
    assert [key for key, _, _ in layers(folder, model, samples)] == ["x", "compress", "neg"]


def test_an_output_that_is_also_used_inside(folder):
    nodes = [node("Relu", ["x"], ["r"], "relu"), node("Neg", ["r"], ["y"], "neg")]
    found = layers(
        folder, network(nodes, inputs={"x": (1, 4)}, outputs=["r", "y"]), random_samples({"x": (1, 4)})
    )
    assert found[1:] == [("relu", "Relu", True), ("neg", "Neg", True)]


def test_an_input_that_is_also_an_output(folder):
    model = network([node("Neg", ["x"], ["y"], "neg")], inputs={"x": (1, 4)}, outputs=["y", "x"])
    assert [key for key, _, _ in layers(folder, model, random_samples({"x": (1, 4)}))] == ["x", "neg"]


def test_names_that_nobody_should_print(folder):
    nodes = [node("Neg", ["x"], ["y"], '"><img src=x>\u202e\n=cmd|')]
    found = layers(folder, network(nodes, inputs={"x": (1, 4)}, outputs=["y"]), random_samples({"x": (1, 4)}))
    assert found[-1][0].isprintable()


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Conv_12", "Conv"),
        ("/body.0/Conv", "/body.0/Conv"),
        ("/a/Conv_output_0", "/a/Conv"),
        ("layer3", "layer3"),
        ("_7", "_7"),
    ],
)
def test_keys_drop_what_changes_between_builds(name, key):
    assert key_of(name) == key


def test_groups_of_tensors_keep_to_their_bytes():
    tensors = [Observed(str(size), "tensor(float)", (size,)) for size in (1, 2, 9, 1, 1)]
    assert [[t.name for t in group] for group in groups(tensors, 12)] == [["1", "2"], ["9"], ["1", "1"]]


def of_kind(kind, shape=(2,)):
    """A network whose second input is a tensor of `kind`, and changes nothing."""
    nodes = [node("Shape", ["odd"], ["s"]), node("Cast", ["s"], ["f"], to=1), node("Add", ["x", "f"], ["y"])]
    return network(nodes, inputs={"x": (1,), "odd": shape}, outputs=["y"], types={"odd": kind})


def a_sequence():
    model = of_kind(TensorProto.FLOAT)
    sequence = helper.make_tensor_sequence_value_info("odd", TensorProto.FLOAT, None)
    model.graph.node[0].CopyFrom(node("SequenceLength", ["odd"], ["s"]))
    model.graph.input[1].CopyFrom(sequence)
    return model


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (a_sequence, "'odd' is a sequence"),
        (lambda: of_kind(TensorProto.STRING), "'odd' is a tensor of string"),
        (lambda: of_kind(TensorProto.BFLOAT16), "'odd' is a tensor of bfloat16"),
        (lambda: of_kind(TensorProto.FLOAT, (2, 0)), "'odd' has shape [2, 0]"),
    ],
)
def test_an_input_that_no_samples_can_feed_is_named(folder, make, words):
    with pytest.raises(JobError) as caught:
        convert(folder, make(), random_samples({"x": (1,)}))
    assert (caught.value.code, words in caught.value.detail) == ("model:unsupported-input", True)


def halves(width):
    """Two halves that are joined again with the whole: only even widths go through."""
    nodes = [
        node("MaxPool", ["x"], ["half"], "pool", kernel_shape=[2], strides=[2]),
        node("Concat", ["half", "half"], ["whole"], "twice", axis=2),
        node("Add", ["x", "whole"], ["y"], "joined"),
    ]
    return network(nodes, inputs={"x": (1, 1, width)}, outputs=["y"])


def test_a_named_size_that_the_network_does_not_go_through_with_is_told_with_the_node(folder):
    with pytest.raises(JobError) as caught:
        convert(folder, halves("width"), random_samples({"x": (1, 1, 7)}), inputs={"x": {"shape": [1, 1, 7]}})
    assert (caught.value.code, "joined" in caught.value.detail) == ("model:not-executable", True)


def test_a_value_that_the_network_does_not_take_is_told_with_the_node(folder):
    model = network(
        [node("Expand", ["x", "to"], ["y"], "spread")],
        inputs={"x": (3,), "to": (1,)},
        outputs=["y"],
        types={"to": TensorProto.INT64},
    )
    samples = [{"x": np.ones(3, np.float32), "to": np.array([2], np.int64)}]
    with pytest.raises(JobError) as caught:
        convert(folder, model, samples)
    assert (caught.value.code, "spread" in caught.value.detail) == ("model:not-executable", True)
