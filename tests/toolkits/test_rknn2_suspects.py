"""What RKNN-Toolkit2 stumbles over without naming it, named from the source: control flow, operators on integers."""

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tests.toolkits.networks import network
from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.rknn2job.calls import refusal
from workers.toolkits.rknn2job.suspects import suspected

SAID = "load_onnx: ValueError: The 'x' in inputs=['x'] is invalid!"


def with_a_choice() -> ModelProto:
    """A network whose only node is an If."""

    def branch(operator: str) -> object:
        result = helper.make_tensor_value_info("r", TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(operator, ["x"], ["r"])], operator, [], [result])

    branches = {"then_branch": branch("Relu"), "else_branch": branch("Neg")}
    nodes = [helper.make_node("If", ["yes"], ["y"], "choose", **branches)]
    yes = numpy_helper.from_array(np.array(True), "yes")
    return network(nodes, inputs={"x": (2,)}, outputs=["y"], initializers=[yes])


def on_integers(operator: str, domain: str = "") -> ModelProto:
    nodes = [helper.make_node(operator, ["x"], ["q", "s", "z"], "odd", domain=domain)]
    graph = helper.make_graph(nodes, "g", [], [])
    return helper.make_model(graph)


def refused_by(model: ModelProto | None, code: str = "toolkit:failed") -> Refused:
    with pytest.raises(Refused) as caught, suspected(model):
        raise Refused(code, SAID)
    return caught.value


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (with_a_choice(), ("If (choose)", "onnxsim")),
        (on_integers("DynamicQuantizeLinear"), ("DynamicQuantizeLinear (odd)", "upload the float network")),
        (on_integers("DynamicQuantizeLSTM", "com.microsoft"), ("quantized already",)),
        (on_integers("FusedConv", "com.microsoft"), ("ONNX Runtime's own",)),
    ],
)
def test_what_the_toolkit_does_not_take_is_named_with_what_to_do(model, words):
    refused = refused_by(model)
    assert refused.code == "model:unsupported-operator"
    assert all(word in refused.detail for word in (*words, SAID))


def test_a_network_without_suspects_keeps_what_the_toolkit_said():
    plain = network([helper.make_node("Relu", ["x"], ["y"])], inputs={"x": (2,)}, outputs=["y"])
    assert [refused_by(model).code for model in (plain, None)] == ["toolkit:failed"] * 2


def test_an_operator_that_the_toolkit_names_is_told_what_to_do_about_it():
    with pytest.raises(Refused) as caught, suspected(on_integers("DynamicQuantizeLinear")):
        raise Refused("model:unsupported-operator", "The DynamicQuantizeLinear('x') will cause it")
    assert "upload the float network" in caught.value.detail


def test_another_operator_than_the_one_that_the_toolkit_names_is_not_blamed():
    refused = refused_by(with_a_choice(), "model:unsupported-operator")
    assert refused.detail == SAID


def test_a_rule_of_the_toolkit_that_fails_is_named_with_how_to_leave_it_out():
    frames = 'File "rknn/api/rules/matmul.py", line 1539, in rknn.api.rules.matmul._p_fuse_to_sdpa\nIndexError: list'
    refused = refusal("build", f"ValueError: Traceback (most recent call last):\n  {frames}")
    assert (refused.code, '{"disable_rules": ["fuse_to_sdpa"]}' in refused.detail) == (
        "toolkit:own-fault",
        True,
    )


def test_what_the_toolkit_told_clearly_stays_as_it_is():
    assert refused_by(with_a_choice(), "recipe:invalid").code == "recipe:invalid"
