"""The built-in toolkit: what it leaves as it is."""

from onnx import TensorProto, helper

from tests.lint.nets import REFERENCE, RV1126B, model, severities


def test_graphs_inside_a_layer_are_told_to_stay_as_they_are() -> None:
    result = helper.make_tensor_value_info("r", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["r"])], "branch", [], [result])
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], "sum", keepdims=0),
        helper.make_node("Cast", ["sum"], ["yes"], "yes", to=TensorProto.BOOL),
        helper.make_node("If", ["yes"], ["y"], "it", then_branch=branch, else_branch=branch),
    ]
    net = model(nodes)
    assert severities(net, REFERENCE)["inner-graph"] == "warning"
    assert "inner-graph" not in severities(net, RV1126B)
