"""RKNN-Toolkit2: what it did when it was tried, the vendor's lists, and its rewrites."""

import json

import numpy as np
import pytest
from onnx import helper

from dashboard.lint.facts import tried
from dashboard.lint.findings import Target
from dashboard.lint.rules import PLATFORMS
from tests.lint.nets import (
    RV1106,
    RV1126B,
    WEIGHTS,
    conv,
    found,
    graph,
    model,
    one,
    pixel_shuffle,
    rearranged,
    severities,
)


@pytest.mark.parametrize("op", ["Relu", "Sigmoid", "Softplus", "GlobalAveragePool", "Tanh"])
def test_what_was_built_for_the_npu_and_is_listed_is_not_spoken_of(op: str) -> None:
    assert found(one(op), RV1126B) == {}


@pytest.mark.parametrize("op", ["Ceil", "Erf", "Exp", "Floor", "Round", "Sinh"])
def test_what_was_planned_for_the_cpu_is_told(op: str) -> None:
    assert severities(one(op), RV1126B)["cpu-layer"] == "warning"


@pytest.mark.parametrize("op", ["Abs", "Neg"])
def test_what_the_list_refuses_but_was_built_is_a_note(op: str) -> None:
    assert severities(one(op), RV1126B) == {"better-than-listed": "note"}


def test_a_refusal_is_an_error_with_the_toolkits_words() -> None:
    assert "Unique" in found(one("Unique"), RV1126B)["unsupported-operator"].text


def test_what_ends_the_toolkits_process_is_told_with_its_signal() -> None:
    net = one("MaxPool", kernel_shape=[3, 3], dilations=[2, 2])
    assert "SIGABRT" in found(net, RV1126B)["ends-the-toolkit"].text


def test_the_version_that_was_tried_is_named() -> None:
    references = found(one("Ceil"), RV1126B)["cpu-layer"].references
    assert references[0].document == "rknn-toolkit2 2.5.0"


def test_what_was_not_tried_is_judged_by_the_list() -> None:
    assert severities(one("Hardmax", opset=13), RV1126B).get("unsupported-operator") is None
    assert severities(one("BlackmanWindow", opset=17), RV1126B)["unsupported-operator"] == "error"


def test_a_chip_with_a_small_cpu_has_no_unit_for_the_rest() -> None:
    assert severities(one("Round"), RV1106)["no-unit"] == "error"


def test_a_kind_of_build_that_a_platform_refuses_is_told_once() -> None:
    net = model([conv(), helper.make_node("Relu", ["c"], ["y"], "it")], WEIGHTS)
    assert severities(net, Target("rknn2", "rv1106", "float")) == {"refused-dtype": "error"}


def test_where_the_other_kind_of_build_works_it_is_named() -> None:
    net = one("Conv", "w", constants=WEIGHTS)
    assert "As float it was built" in found(net, Target("rknn2", "rk2118", "w8a8"))["ends-the-toolkit"].advice


TRIED = sorted(file.stem.removeprefix("rknn2_") for file in tried.FOLDER.glob("rknn2_*.json"))


def test_every_platform_was_tried_with_the_same_cases() -> None:
    cases = {
        platform: frozenset(
            json.loads((tried.FOLDER / f"rknn2_{platform}.json").read_text())["answers"]["w8a8"]
        )
        for platform in TRIED
    }
    assert set(cases) == set(PLATFORMS["rknn2"])
    assert len(set(cases.values())) == 1


@pytest.mark.parametrize("platform", TRIED)
def test_a_platforms_file_speaks_of_it_and_of_both_kinds_of_build(platform: str) -> None:
    told = json.loads((tried.FOLDER / f"rknn2_{platform}.json").read_text())
    assert told["platform"] == platform
    assert told["answers"]["w8a8"].keys() == told["answers"]["float"].keys()


@pytest.mark.parametrize("platform", TRIED)
def test_every_answer_is_one_of_three(platform: str) -> None:
    told = json.loads((tried.FOLDER / f"rknn2_{platform}.json").read_text())
    kinds = {tuple(answer) for kind in told["answers"].values() for answer in kind.values()}
    assert kinds <= {("layers",), ("refused",), ("died",)}


@pytest.mark.parametrize("op", ["Relu", "Sigmoid", "HardSwish", "Tanh"])
def test_an_activation_behind_a_convolution_becomes_a_part_of_it(op: str) -> None:
    net = model([conv(), helper.make_node(op, ["c"], ["y"], "it")], WEIGHTS, opset=14)
    assert severities(net, RV1126B) == {"fused": "note"}


def test_a_mish_behind_a_convolution_is_no_layer_of_the_cpu() -> None:
    nodes = [
        conv(),
        helper.make_node("Softplus", ["c"], ["s"], "softplus"),
        helper.make_node("Tanh", ["s"], ["t"], "tanh"),
        helper.make_node("Mul", ["c", "t"], ["y"], "mul"),
    ]
    assert severities(model(nodes, WEIGHTS), RV1126B) == {"fused": "note"}


def test_a_convolution_that_feeds_two_layers_is_not_told_to_fuse() -> None:
    nodes = [
        conv(),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("Add", ["c", "r"], ["y"], "add"),
    ]
    assert "fused" not in found(model(nodes, WEIGHTS), RV1126B)


@pytest.mark.parametrize("mode", ["CRD", "DCR"])
def test_depth_to_space_becomes_a_transposed_convolution(mode: str) -> None:
    text = found(one("DepthToSpace", blocksize=2, mode=mode), RV1126B)["rewritten"].text
    assert "ConvTranspose on the NPU" in text
    assert "convert_depth2space_to_deconv2d" in text


def test_a_pixel_shuffle_written_out_becomes_the_same_layer() -> None:
    text = found(pixel_shuffle(), RV1126B)["rewritten"].text
    assert "ConvTranspose on the NPU" in text
    assert "replace_transpose_by_deconv" in text


def test_a_transpose_that_keeps_six_dimensions_goes_to_the_cpu() -> None:
    net = one("Transpose", perm=[5, 3, 1, 4, 2, 0], shape=(2, 2, 4, 4, 4, 4))
    assert severities(net, RV1126B) == {"cpu-layer": "warning"}


def test_a_transpose_whose_neighbours_stay_together_does_not() -> None:
    net = one("Transpose", perm=[0, 3, 4, 5, 1, 2], shape=(1, 2, 4, 4, 4, 4))
    assert "cpu-layer" not in found(net, RV1126B)


def test_blocks_of_unequal_sides_are_no_pixel_shuffle() -> None:
    net = rearranged([1, 4, 4, 1, 8, 8], [0, 1, 4, 2, 5, 3], [1, 4, 32, 8])
    assert "rewritten" not in found(net, RV1126B)


def test_space_to_depth_names_the_form_that_stays_on_the_npu() -> None:
    assert "other-form" in found(one("SpaceToDepth", blocksize=2), RV1126B)


def test_a_kernel_beyond_the_npu_is_told() -> None:
    weights = {"w": np.zeros((16, 16, 35, 35), np.float32)}
    net = one("Conv", "w", constants=weights, shape=(1, 16, 64, 64))
    assert "35x35" in found(net, RV1126B)["beyond-the-npu"].text


@pytest.mark.parametrize(("counted", "is_told"), [(0, True), (1, False)])
def test_a_padded_average_goes_to_the_cpu_unless_the_padding_counts(counted: int, is_told: bool) -> None:
    net = one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=counted)
    assert ("cpu-layer" in found(net, RV1126B)) is is_told


def test_a_batch_that_was_tried_is_not_doubted() -> None:
    assert "batch" not in found(one("Softmax", shape=(2, 8, 8, 8)), RV1126B)


def test_a_batch_that_was_not_tried_is_doubted() -> None:
    assert severities(one("LogSoftmax", shape=(2, 8, 8, 8)), RV1126B)["batch"] == "warning"


@pytest.mark.parametrize(("opset", "is_told"), [(9, True), (11, True), (12, False), (19, False), (20, True)])
def test_operator_sets_of_twelve_to_nineteen_are_taken(opset: int, is_told: bool) -> None:
    assert ("opset" in found(one("Relu", opset=opset), RV1126B)) is is_told


def test_sizes_left_open_must_be_named_in_the_recipe() -> None:
    assert severities(one("Relu", shape=["n", 16, 8, 8]), RV1126B)["dynamic-input"] == "warning"


def test_layers_that_are_folded_are_not_looked_at() -> None:
    nodes = [
        helper.make_node("Erf", ["k"], ["e"], "folded"),
        helper.make_node("Add", ["x", "e"], ["y"], "add"),
    ]
    net = model(nodes, {"k": np.zeros((1, 16, 1, 1), np.float32)})
    assert found(net, RV1126B) == {}


def test_what_a_shape_gives_is_folded_when_the_sizes_are_fixed() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], "shape"),
        helper.make_node("Reshape", ["x", "s"], ["y"], "reshape"),
    ]
    assert [node.is_folded for node in graph(model(nodes)).nodes] == [True, False]


@pytest.mark.parametrize(("opset", "outputs", "is_told"), [(9, 2, True), (9, 1, False), (12, 2, False)])
def test_a_dropout_with_its_mask_is_refused_of_one_opset(opset: int, outputs: int, is_told: bool) -> None:
    net = model([helper.make_node("Dropout", ["x"], ["y", "mask"][:outputs], "it")], opset=opset)
    assert ("unsupported-operator" in found(net, RV1126B)) is is_told
