"""RKNN-Toolkit 1.7: its table by route, 8 bits, limits, and PixelShuffle."""

import numpy as np
import pytest
from onnx import helper

from tests.lint.nets import (
    RV1126,
    RV1126_FLOAT,
    RV1126_I16,
    WEIGHTS,
    conv,
    found,
    model,
    one,
    pixel_shuffle,
    rearranged,
    severities,
)

PLAIN = ["Abs", "Relu", "Sigmoid", "Tanh", "Exp", "Floor", "Log", "Sin", "Sqrt"]
NOWHERE = ["Softsign", "Selu", "Celu", "Tan", "GlobalMaxPool", "ThresholdedRelu", "Shrink", "Softplus"]
BY_TORCH = ["Erf", "Cos", "Ceil"]
UNLISTED = ["Sinh", "Asin", "Neg", "Sign"]


@pytest.mark.parametrize("op", PLAIN)
def test_what_the_table_takes_from_onnx_is_not_spoken_of(op: str) -> None:
    assert set(found(one(op), RV1126)) <= {"fused"}


@pytest.mark.parametrize("op", NOWHERE)
def test_what_the_table_takes_by_no_route_is_told(op: str) -> None:
    assert "no route" in found(one(op), RV1126)["unsupported-operator"].text


@pytest.mark.parametrize("op", BY_TORCH)
def test_what_only_torchscript_brings_in_names_the_other_route(op: str) -> None:
    finding = found(one(op), RV1126)["other-route-only"]
    assert (str(finding.severity), finding.other_route) == ("error", "TorchScript")


def test_where_an_older_list_says_otherwise_it_is_a_warning() -> None:
    assert severities(one("GlobalMaxPool"), RV1126)["unsupported-operator"] == "warning"


@pytest.mark.parametrize("op", UNLISTED)
def test_what_the_table_does_not_name_is_not_promised(op: str) -> None:
    assert severities(one(op), RV1126) == {"unlisted-operator": "warning"}


def test_every_finding_names_the_source_of_its_fact() -> None:
    for op in (*NOWHERE, *BY_TORCH, *UNLISTED):
        assert all(finding.references for finding in found(one(op), RV1126).values())


def test_eight_bits_may_cost_accuracy() -> None:
    assert severities(one("ReduceMean", axes=[2, 3]), RV1126) == {"accuracy-on-8-bits": "warning"}


@pytest.mark.parametrize("target", [RV1126_I16, RV1126_FLOAT])
def test_sixteen_bits_and_float_do_not(target) -> None:
    assert "accuracy-on-8-bits" not in found(one("ReduceMean", axes=[2, 3]), target)


def test_float_is_slow_on_a_chip_whose_engine_has_none() -> None:
    assert "slow-dtype" in found(one("Relu"), RV1126_FLOAT)


def test_unequal_dilations_are_refused() -> None:
    assert "limit" in found(one("Conv", "w", constants=WEIGHTS, dilations=[2, 3]), RV1126)


@pytest.mark.parametrize("dilations", [[1, 3], [2, 2], [1, 1]])
def test_other_dilations_are_taken(dilations: list[int]) -> None:
    assert "limit" not in found(one("Conv", "w", constants=WEIGHTS, dilations=dilations), RV1126)


@pytest.mark.parametrize(
    "attributes", [{"ceil_mode": 1}, {"dilations": [2, 2]}], ids=["ceil mode", "dilation"]
)
def test_max_pool_has_limits_from_onnx(attributes: dict[str, object]) -> None:
    assert "limit" in found(one("MaxPool", kernel_shape=[2, 2], **attributes), RV1126)


def test_a_pool_of_one_dimension_comes_in_by_torchscript_only() -> None:
    net = one("MaxPool", kernel_shape=[2], shape=(1, 16, 64))
    assert found(net, RV1126)["other-route-only"].other_route == "TorchScript"


def test_three_dimensional_convolutions_are_refused() -> None:
    weights = {"w": np.zeros((4, 4, 3, 3, 3), np.float32)}
    net = one("Conv", "w", constants=weights, shape=(1, 4, 8, 8, 8))
    assert severities(net, RV1126)["unsupported-operator"] == "error"


def test_weights_that_are_computed_cannot_be_quantized() -> None:
    nodes = [
        helper.make_node("Reshape", ["x", "s"], ["w"], "reshape"),
        helper.make_node("Conv", ["x", "w"], ["y"], "it"),
    ]
    net = model(nodes, {"s": np.array([64, 16, 1, 1])})
    assert ("limit" in found(net, RV1126), "limit" in found(net, RV1126_FLOAT)) == (True, False)


def test_weights_that_are_known_before_the_network_runs_are_constants() -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["w"], "fill"),
        helper.make_node("Conv", ["x", "w"], ["y"], "it"),
    ]
    assert "limit" not in found(model(nodes, {"s": np.array([16, 16, 1, 1])}), RV1126)


def test_padding_with_something_else_than_zero_is_refused_when_quantized() -> None:
    constants = {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "v": np.array(1, np.float32)}
    net = one("Pad", "p", "v", constants=constants)
    assert ("limit" in found(net, RV1126), "limit" in found(net, RV1126_FLOAT)) == (True, False)


def test_an_index_that_keeps_its_dimension_is_refused() -> None:
    nodes = [
        helper.make_node("ArgMax", ["x"], ["i"], "it", axis=1),
        helper.make_node("Cast", ["i"], ["y"], "cast", to=1),
    ]
    assert "limit" in found(model(nodes), RV1126)


def test_a_batch_of_a_recurrent_layer_is_refused() -> None:
    weights = {"w": np.zeros((1, 64, 8), np.float32), "r": np.zeros((1, 64, 16), np.float32)}
    net = one("LSTM", "w", "r", constants=weights, hidden_size=16, shape=(4, 2, 8))
    assert "limit" in found(net, RV1126)


def test_an_elu_of_another_alpha_names_the_other_route() -> None:
    assert found(one("Elu", alpha=0.5), RV1126)["limit"].other_route == "TorchScript"


def test_a_gelu_written_out_is_known_although_its_erf_is_not() -> None:
    nodes = [
        helper.make_node("Div", ["x", "root"], ["d"], "div"),
        helper.make_node("Erf", ["d"], ["e"], "erf"),
        helper.make_node("Add", ["e", "one"], ["a"], "add"),
        helper.make_node("Mul", ["x", "a"], ["y"], "mul"),
    ]
    net = model(nodes, {"root": np.array(1.4, np.float32), "one": np.array(1, np.float32)})
    assert "other-route-only" not in found(net, RV1126)


def test_a_mish_written_out_is_known_although_its_softplus_is_not() -> None:
    nodes = [
        helper.make_node("Softplus", ["x"], ["s"], "softplus"),
        helper.make_node("Tanh", ["s"], ["t"], "tanh"),
        helper.make_node("Mul", ["x", "t"], ["y"], "mul"),
    ]
    assert found(model(nodes), RV1126) == {}


def test_depth_to_space_is_told_to_be_slow_and_the_traced_route_to_be_no_way_out() -> None:
    finding = found(one("DepthToSpace", blocksize=2, mode="CRD"), RV1126)["pixel-shuffle"]
    assert "slow" in finding.text
    assert "six dimensions" in finding.advice


def test_a_pixel_shuffle_written_out_is_told_to_go_wrong_and_which_route_to_take() -> None:
    finding = found(pixel_shuffle(), RV1126)["pixel-shuffle"]
    assert (finding.layer, finding.other_route) == ("moved", "ONNX with DepthToSpace")


def test_the_ends_of_a_rearrangement_are_not_told_once_more() -> None:
    assert "rank-over-4" not in found(pixel_shuffle(), RV1126)


def test_any_other_six_dimensional_transpose_is_unsafe() -> None:
    net = rearranged([1, 4, 2, 2, 8, 8], [0, 5, 3, 1, 4, 2], [1, 4, 16, 16])
    assert severities(net, RV1126)["rank-over-4"] == "warning"


@pytest.mark.parametrize(("opset", "is_told"), [(7, True), (8, False), (12, False), (13, True)])
def test_operator_sets_of_eight_to_twelve_are_taken(opset: int, is_told: bool) -> None:
    assert ("opset" in found(one("Relu", opset=opset), RV1126)) is is_told


def test_a_newer_file_format_is_a_warning() -> None:
    assert severities(one("Relu", ir_version=8), RV1126) == {"ir-version": "warning"}


def test_sizes_left_open_are_refused() -> None:
    assert severities(one("Relu", shape=["n", 16, 8, 8]), RV1126)["dynamic-input"] == "error"


def test_a_relu_behind_a_convolution_is_a_part_of_it() -> None:
    net = model([conv(), helper.make_node("Relu", ["c"], ["y"], "it")], WEIGHTS)
    assert found(net, RV1126)["fused"].layer == "it"


def test_silu_is_told_to_be_slow() -> None:
    nodes = [
        helper.make_node("Sigmoid", ["x"], ["s"], "sigmoid"),
        helper.make_node("Mul", ["x", "s"], ["y"], "mul"),
    ]
    assert found(model(nodes), RV1126)["slow-layer"].layer == "sigmoid"


def test_an_operator_of_a_foreign_domain_is_refused() -> None:
    assert "foreign-operator" in found(one("Anything", domain="my.domain"), RV1126)
