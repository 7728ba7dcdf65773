"""What a recipe can say to the real RKNN-Toolkit2: layers in 16 bits, its proposal, batch, settings of its own."""

import json
import re

import numpy as np
import pytest
from onnx import helper, numpy_helper

from similarity.dumpfile import DumpFile
from similarity.metrics import core_scores
from similarity.tensorfile import TensorFile
from tests.toolkits.networks import constant, network, random_samples
from tests.toolkits.test_rknn2 import TOOLKIT, convert, failure_of, picture_net
from workers.jobfolder import JobFolder

pytestmark = pytest.mark.skipif(TOOLKIT is None, reason="RKNN-Toolkit2 is not installed (make toolkit-rknn2)")
PICTURE = {"x": (1, 3, 16, 16)}


def hard_net():
    """The first convolution's channels differ so much that 8 bits lose the small ones, which alone count later."""
    loud, deaf = constant("loud", (16, 3, 3, 3), 1), constant("deaf", (12, 16, 3, 3), 2)
    loud, deaf = (scaled(loud, np.s_[0], 400), scaled(deaf, np.s_[:, 0], 1e-4))
    nodes = [
        helper.make_node("Conv", ["x", "loud"], ["c 1"], "Conv_0", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c 1"], ["r1"], "Relu_1"),
        helper.make_node("Conv", ["r1", "deaf"], ["c2"], "Conv_2", pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["c2"], ["s"], "Sigmoid_3"),
        helper.make_node("Conv", ["s", "last"], ["y"], "Conv_4"),
    ]
    return network(
        nodes, inputs=PICTURE, outputs=["y"], initializers=[loud, deaf, constant("last", (8, 12, 1, 1), 3)]
    )


def wide_net():
    """Two convolutions with enough channels for four bits."""
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], "Conv_0", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], "Relu_1"),
        helper.make_node("Conv", ["b", "w2"], ["y"], "Conv_2"),
    ]
    weights = [constant("w1", (64, 32, 3, 3), 1), constant("w2", (64, 64, 1, 1), 2)]
    return network(nodes, inputs={"x": (1, 32, 16, 16)}, outputs=["y"], initializers=weights)


def scaled(tensor, where, factor):
    values = numpy_helper.to_array(tensor).copy()
    values[where] *= factor
    return numpy_helper.from_array(values, tensor.name)


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    """One conversion that asks for the proposal, sets one layer to 16 bits, and hands a setting on."""
    recipe = {"propose": True, "hybrid": {"c2": "float16"}, "extra": {"custom_string": "seen by nobody else"}}
    with JobFolder(tmp_path_factory.mktemp("kept"), "kept") as folder:
        yield convert(folder, hard_net(), random_samples(PICTURE), **recipe)


def test_the_toolkits_proposal_is_kept_with_its_figures(rich):
    proposal = json.loads(rich.build_facts.read_text())["proposal"]
    figures = [one["figure"] for one in proposal if one["figure"] is not None]
    assert {one["dtype"] for one in proposal} == {"float16"} and figures[0] < 0.9 < figures[-1]


def test_the_proposal_is_handed_to_the_site(rich):
    told = json.loads(rich.build_facts.read_text())["proposal"]
    assert [(one.name, one.dtype, one.figure) for one in rich.proposal] == [
        tuple(one.values()) for one in told
    ]


def test_a_name_with_a_blank_is_proposed_as_it_is(rich):
    assert {one["name"] for one in json.loads(rich.build_facts.read_text())["proposal"]} >= {"c 1", "r1"}


def test_only_what_the_recipe_names_is_changed(rich):
    """The proposal names r1 as well, which stays in 8 bits: it has a scale and is converted behind itself."""
    with DumpFile.open(rich.dumps["quantized"]) as dump:
        scales = {layer.name: layer.scale for layer in dump.layers}
    assert (scales["c2"], scales["r1"] is not None, "r1__float16" in scales) == (None, True, True)


def test_the_named_layer_is_left_out_of_the_calibration_table(rich):
    table = json.loads(rich.calibration_table.read_text())
    assert ("c2" in table, "r1" in table) == (False, True)


def test_a_layer_in_half_floats_adds_next_to_nothing_of_its_own(rich):
    rows = {row["name"]: row for row in json.loads(rich.build_facts.read_text())["accuracy"]}
    assert rows["c2"]["single"]["cos"] > 0.9999 and rows["r1"]["entire"]["cos"] < 1.0


def test_a_setting_of_the_toolkits_own_reaches_it(rich):
    assert b"seen by nobody else" in rich.artifact.read_bytes()


def test_a_batch_makes_an_artifact_for_several_samples(folder):
    made = convert(folder, picture_net(), random_samples(PICTURE), batch=2, method="layer")
    # where a .rknn of 2.5.0 says how many samples it takes; its tables of shapes speak of one
    told = re.search(rb"static_shape\x00{4}\x01\x00{3}(\d)", made.artifact.read_bytes())
    assert told and told[1] == b"2"
    with TensorFile.open(made.inputs) as inputs:
        assert inputs.specs["x"].shape == (2, 3, 16, 16)
    with DumpFile.open(made.dumps["framework"]) as ours, DumpFile.open(made.dumps["converted"]) as theirs:
        assert ours.tensor("Conv").shape == theirs.tensor("Conv").shape
        assert core_scores(ours.tensor("Conv"), theirs.tensor("Conv")).cosine > 0.999999


def test_a_layer_that_is_not_there_is_named(folder):
    error = failure_of(
        folder, picture_net(), random_samples(PICTURE), hybrid={"c": "int16", "nowhere": "int16"}
    )
    assert (error.code, error.detail) == ("recipe:unknown-layer", "'nowhere'")


def test_a_setting_that_the_toolkit_does_not_know_is_named(folder):
    extra = {"custom_string": "fine", "nonsense": 3}
    error = failure_of(folder, picture_net(), random_samples(PICTURE), extra=extra)
    assert (error.code, "extra.nonsense" in error.detail) == ("recipe:invalid", True)


def test_a_value_that_the_toolkit_does_not_take_is_named(folder):
    error = failure_of(folder, picture_net(), random_samples(PICTURE), extra={"compute_order": "Sideways"})
    assert (error.code, "extra.compute_order" in error.detail) == ("recipe:invalid", True)


def lowest(converted):
    rows = json.loads(converted.build_facts.read_text())["accuracy"]
    return min(row["entire"]["cos"] for row in rows if row["entire"])


def test_weights_of_four_bits_lose_less_by_gdq(tmp_path):
    """gdq goes by build() alone; its dumps and facts are those of any other conversion."""
    made = {}
    for algorithm in ("normal", "gdq"):
        recipe = {"platform": "rk3576", "dtype": "w4a16", "algorithm": algorithm}
        with JobFolder(tmp_path, algorithm) as folder:
            made[algorithm] = lowest(
                convert(folder, wide_net(), random_samples({"x": (1, 32, 16, 16)}), **recipe)
            )
    assert made["normal"] < made["gdq"]
