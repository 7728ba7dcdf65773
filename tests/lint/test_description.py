"""What the inspection writes down of a graph: bounded, finite, readable by lint."""

import json

import numpy as np
import pytest
from onnx import ModelProto, helper

from dashboard.lint.findings import Target
from dashboard.lint.graph import graph_of
from dashboard.lint.rules import lint
from tests.lint.nets import RV1126, RV1126B, graph, model, one
from workers.toolkits.onnxjob.description import MOST_NODES, described_graph


def long_net(nodes: int, op: str = "Exp") -> ModelProto:
    """So many layers in a row."""
    names = ["x", *(f"t{number}" for number in range(1, nodes)), "y"]
    return model([helper.make_node(op, [names[at]], [names[at + 1]], f"layer_{at}") for at in range(nodes)])


def test_a_graph_of_five_thousand_layers_is_told_whole() -> None:
    told = described_graph(long_net(5000))
    assert (len(told["nodes"]), told["left_out"]) == (5000, 0)


def test_its_description_is_bounded() -> None:
    assert len(json.dumps(described_graph(long_net(5000)))) < 1_500_000


def test_what_is_beyond_the_limit_is_counted_and_told() -> None:
    told = described_graph(long_net(MOST_NODES + 7))
    assert told["left_out"] == 7
    codes = {finding.code for finding in lint(graph_of(told), RV1126)}
    assert "not-looked-at" in codes


@pytest.mark.parametrize("target", [RV1126, RV1126B])
def test_each_of_five_thousand_layers_is_looked_at_once(target: Target) -> None:
    layers = [finding.layer for finding in lint(graph_of(described_graph(long_net(5000, "Ceil"))), target)]
    assert len(layers) == len(set(layers)) == 5000


def test_weights_are_not_told() -> None:
    net = one("Conv", "w", constants={"w": np.ones((16, 16, 3, 3), np.float32)})
    weights = graph(net).nodes[0].input(1)
    assert (weights.shape, weights.values, weights.is_constant) == ((16, 16, 3, 3), None, True)


def test_short_constants_are_told_with_their_values() -> None:
    net = one("Reshape", "s", constants={"s": np.array([1, 16, 64])})
    assert graph(net).nodes[0].input(1).values == (1, 16, 64)


def test_numbers_that_json_has_no_word_for_are_left_out() -> None:
    net = one("Clip", "low", constants={"low": np.array(-np.inf, np.float32)})
    assert json.loads(json.dumps(described_graph(net), allow_nan=False))


def test_a_constant_node_is_a_constant_and_no_layer() -> None:
    value = helper.make_tensor("v", 7, [3], [1, 16, 64])
    nodes = [
        helper.make_node("Constant", [], ["s"], "constant", value=value),
        helper.make_node("Reshape", ["x", "s"], ["y"], "it"),
    ]
    seen = graph(model(nodes))
    assert [node.name for node in seen.nodes] == ["it"]
    assert seen.nodes[0].input(1).values == (1, 16, 64)


def test_an_input_that_is_left_out_is_none() -> None:
    net = one("Clip", "", "high", constants={"high": np.array(6, np.float32)})
    assert graph(net).nodes[0].input(1) is None


def test_a_layer_without_a_name_is_called_like_its_result() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    assert graph(model(nodes)).nodes[0].name == "y"


@pytest.mark.parametrize("told", [{}, {"nodes": 3}, {"tensors": [], "nodes": [[1]], "format": "onnx"}])
def test_anything_else_is_no_graph(told: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no description of a graph"):
        graph_of(told)
