"""Uploaded models, good and hostile, through the real inspection child."""

import random

import onnx
import pytest
from onnx import TensorProto, helper

from tests.toolkits.networks import constant, conv_relu_net, one_op
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits.inspect import as_model_error, inspect_model
from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.onnxjob.modelfile import read_model


def inspected(folder, content, **settings):
    upload = folder.path.parent / "upload"
    upload.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    return inspect_model(folder, upload, **settings)


def code_of(folder, content, **settings) -> str:
    with pytest.raises(JobError) as caught:
        inspected(folder, content, **settings)
    return caught.value.code


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    with JobFolder(tmp_path_factory.mktemp("model"), "inspection") as folder:
        yield inspected(folder, conv_relu_net())


def test_inputs_are_described(facts):
    assert [(t.name, t.shape, t.dtype) for t in facts.inputs] == [("x", (1, 3, 8, 8), "float32")]


def test_operators_are_counted(facts):
    assert facts.operators == {"Add": 1, "Clip": 1, "Conv": 2, "Relu": 1} and facts.nodes == 5


def test_parameters_are_counted(facts):
    assert facts.parameters == 8 * 3 * 9 + 8 + 4 * 8 + 3


def test_a_quiet_model_has_no_remarks(facts):
    assert (facts.opset, facts.max_rank, facts.dynamic, facts.lint) == (13, 4, False, ())


def test_layers_with_more_than_four_dimensions_are_named(folder):
    found = inspected(folder, one_op("Transpose", (1, 2, 2, 2, 2, 2), perm=[0, 1, 4, 2, 5, 3]))
    assert [(r.code, r.node) for r in found.lint] == [("rank-over-4", "Transpose")] and found.max_rank == 6


def test_dynamic_inputs_are_only_remarked(folder):
    found = inspected(folder, one_op("Relu", ("batch", 3)))
    assert found.dynamic and found.inputs[0].shape == ("batch", 3) and found.lint[0].code == "dynamic-input"


def external(location: str) -> onnx.ModelProto:
    model = conv_relu_net()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return model


def function_bomb(levels: int) -> onnx.ModelProto:
    """Each function calls the previous one twice: 2^levels nodes in about 50 bytes a level."""
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("bomb", 1)]
    functions = []
    for level in range(levels):
        operator, domain = ("Neg", "") if level == 0 else (f"f{level - 1}", "bomb")
        nodes = [
            helper.make_node(operator, ["a"], ["b"], domain=domain),
            helper.make_node(operator, ["b"], ["c"], domain=domain),
        ]
        functions.append(helper.make_function("bomb", f"f{level}", ["a"], ["c"], nodes, opsets))
    node = helper.make_node(f"f{levels - 1}", ["x"], ["y"], domain="bomb")
    graph = helper.make_graph(
        [node],
        "bomb",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=8)


def recursive_function() -> onnx.ModelProto:
    model = function_bomb(2)
    model.functions[0].node[0].domain = "bomb"
    model.functions[0].node[0].op_type = "f1"
    return model


def undefined_input() -> onnx.ModelProto:
    model = conv_relu_net()
    model.graph.node[0].input[0] = "nowhere"
    return model


def external_in_a_constant() -> onnx.ModelProto:
    model = one_op("Relu")
    tensor = constant("c", (2,))
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    model.graph.node.append(helper.make_node("Constant", [], ["k"], value=tensor))
    return model


def unknown(domain: str, operator: str) -> onnx.ModelProto:
    model = one_op("Relu")
    model.graph.node[0].op_type, model.graph.node[0].domain = operator, domain
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return model


def short_weights() -> onnx.ModelProto:
    model = conv_relu_net()
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]
    return model


WHOLE = conv_relu_net().SerializeToString()
REFUSED = {
    "empty": (b"", "model:empty"),
    "text": (b"hello, this is not a network\n" * 9, "model:not-onnx"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "model:not-onnx"),
    "truncated": (WHOLE[: len(WHOLE) // 2], "model:not-onnx"),
    "damaged zip": (b"PK\x03\x04" + bytes(100), "model:unsupported-format"),
    "no graph": (onnx.ModelProto(ir_version=8).SerializeToString(), "model:not-onnx"),
    "weights beside it": (external("weights.bin"), "model:external-data"),
    "weights above it": (external("../../etc/passwd"), "model:external-data"),
    "weights at an absolute path": (external("/etc/passwd"), "model:external-data"),
    "weights of a constant elsewhere": (external_in_a_constant(), "model:external-data"),
    "operator nobody declared": (unknown("", "Frobnicate"), "model:unsupported-operator"),
    "domain nobody knows": (unknown("acme", "Relu"), "model:unsupported-operator"),
    "input nobody makes": (undefined_input(), "model:invalid"),
    "weights shorter than their shape": (short_weights(), "model:invalid"),
    "exploding functions": (function_bomb(40), "model:too-complex"),
    "a function that calls itself": (recursive_function(), "model:invalid"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused(folder, name):
    content, code = REFUSED[name]
    assert code_of(folder, content) == code


def test_a_model_over_the_limit_is_refused(folder):
    assert code_of(folder, conv_relu_net(), max_bytes=100) == "model:too-large"


def test_an_unknown_operator_is_named(folder):
    with pytest.raises(JobError) as caught:
        inspected(folder, unknown("", "Frobnicate"))
    assert "Frobnicate" in caught.value.detail


def test_harmless_functions_pass(folder):
    assert inspected(folder, function_bomb(3)).operators == {"bomb:f2": 1}


@pytest.mark.parametrize("code", ["toolkit:timed-out", "toolkit:out-of-memory", "toolkit:crashed"])
def test_an_inspection_that_dies_says_something_about_the_model(code):
    assert as_model_error(JobError(code)).code == "model:too-complex"


def test_damaged_bytes_are_refused_with_a_code_or_read(tmp_path):
    """A few hundred mutants, in this process because each takes a millisecond; none may raise anything else."""
    rng = random.Random(3)
    path = tmp_path / "mutant.onnx"
    outcomes = set()
    for _ in range(300):
        data = bytearray(WHOLE)
        for _ in range(rng.choice([1, 3, 20])):
            data[rng.randrange(min(len(data), 1200))] = rng.randrange(256)
        path.write_bytes(bytes(data[: rng.choice([len(data), rng.randrange(len(data))])]))
        try:
            read_model(path)
            outcomes.add("read")
        except Refused as refused:
            outcomes.add(refused.code)
    assert {"read", "model:not-onnx", "model:invalid"} <= outcomes


def test_a_name_that_no_database_takes_is_refused(folder):
    model = conv_relu_net()
    model.graph.node[0].name = "a\0b"
    assert code_of(folder, model) == "model:invalid"
