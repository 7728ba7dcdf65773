"""Single layers in a data type of their own with RKNN-Toolkit 1.x, its suggestion, and batches: the real job in old
interpreters, against the stand-in.
"""

import json

import numpy as np
import pytest
from onnx import helper

from similarity.dumpfile import DumpFile
from similarity.metrics import core_scores
from similarity.tensorfile import TensorFile
from tests.toolkits.networks import constant, conv_relu_net, network, random_samples
from tests.toolkits.oldpythons import PYTHONS, make_environment, misbehaving
from tests.toolkits.test_rknn1 import PICTURE, convert, failure_of, opened
from workers.jobfolder import JobFolder
from workers.toolkits.rknn1job.calls import Failed
from workers.toolkits.rknn1job.configuration import layers_in
from workers.toolkits.rknn1job.hybrid import own_names

STEPS = ("hybrid_quantization_step1", "hybrid_quantization_step2")
DEEP = "Conv_/model.0/conv/Conv_142"  # as the toolkit calls a layer; its dump: Conv__model.0_conv_Conv_142


@pytest.fixture(scope="module", params=PYTHONS)
def toolkit(request, tmp_path_factory):
    """The toolkit in each interpreter that is here."""
    return opened(make_environment(tmp_path_factory.mktemp("rknn1"), PYTHONS[request.param]))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The toolkit in the interpreter that runs the tests."""
    return opened(make_environment(tmp_path_factory.mktemp("own"), PYTHONS["this"]))


@pytest.fixture(scope="module")
def made(toolkit, tmp_path_factory):
    """One conversion in each interpreter: one layer in 16 bits, and the toolkit's suggestion."""
    recipe = {"hybrid": {"Conv_Conv_1": "i16"}, "propose": True}
    with JobFolder(tmp_path_factory.mktemp("kept"), "kept") as folder:
        yield convert(toolkit, folder, conv_relu_net(), random_samples(PICTURE), **recipe)


@pytest.fixture(scope="module")
def plain(own, tmp_path_factory):
    """The same network with all layers in 8 bits."""
    with JobFolder(tmp_path_factory.mktemp("plain"), "plain") as folder:
        yield convert(own, folder, conv_relu_net(), random_samples(PICTURE))


def told(converted):
    """What the stand-in wrote into its artifact."""
    return json.loads(converted.artifact.read_bytes()[8:])


def facts(converted):
    return json.loads(converted.build_facts.read_text())


def nearness(converted, key):
    """Cosine of a layer of the quantized chain to the float one."""
    with (
        DumpFile.open(converted.dumps["converted"]) as floats,
        DumpFile.open(converted.dumps["quantized"]) as q,
    ):
        return core_scores(floats.tensor(key), q.tensor(key)).cosine


def test_the_layer_is_quantized_in_its_own_type(made):
    with DumpFile.open(made.dumps["quantized"]) as dump:
        ends = {layer.name: layer.qmax for layer in dump.layers}
    assert (ends["Conv_Conv_1_5"], ends["Relu_Relu_2_4"]) == (32767, 255)


def test_it_is_nearer_to_the_float_one_than_in_8_bits(made, plain):
    assert nearness(plain, "Conv") < nearness(made, "Conv")


def test_parameters_and_scales_are_those_after_step_2(made):
    """Step 1 knew 8 bits for every layer."""
    entry = facts(made)["quantization"]["Conv_Conv_1_5:out0"]
    with DumpFile.open(made.dumps["quantized"]) as dump:
        scale = next(layer.scale for layer in dump.layers if layer.name == "Conv_Conv_1_5")
    assert (entry["dtype"], scale) == ("i16", 2.0 ** -entry["fl"])


def test_of_the_suggestion_nothing_is_applied(made):
    """It names Conv_3 as well."""
    assert told(made)["customized"] == ["c1"]


def test_the_suggestion_is_kept_as_the_proposal(made):
    assert facts(made)["proposal"] == [
        {"name": name, "dtype": "i16", "figure": None} for name in ("Conv_Conv_1_5", "Conv_Conv_3_3")
    ]


def test_the_proposal_is_handed_to_the_site_by_the_names_of_the_dump(made):
    with DumpFile.open(made.dumps["quantized"]) as dump:
        names = {layer.name for layer in dump.layers}
    assert {layer.name for layer in made.proposal} <= names and len(made.proposal) == 2


def test_where_types_are_converted_is_among_the_warnings(made):
    assert any("Insert converter layer" in line for line in facts(made)["warnings"])


def test_a_layer_in_float_has_no_scale(own, folder):
    made = convert(own, folder, conv_relu_net(), random_samples(PICTURE), hybrid={"Relu_Relu_2_4": "float"})
    with DumpFile.open(made.dumps["quantized"]) as dump:
        floats = [layer.name for layer in dump.layers if layer.scale is None]
    assert floats == ["Relu_Relu_2_4"]


def test_asking_for_the_suggestion_alone_changes_no_number(own, plain, folder):
    made = convert(own, folder, conv_relu_net(), random_samples(PICTURE), propose=True)
    with DumpFile.open(plain.dumps["quantized"]) as one, DumpFile.open(made.dumps["quantized"]) as other:
        assert all(np.array_equal(one.values(layer.key), other.values(layer.key)) for layer in one.layers)


def test_without_being_asked_for_it_the_suggestion_is_not_kept(own, folder):
    made = convert(own, folder, conv_relu_net(), random_samples(PICTURE), hybrid={"Relu_Relu_2": "i16"})
    assert ("proposal" in facts(made), made.proposal) == (False, ())


def test_step_2_precompiles_when_the_recipe_says_so(own, folder):
    recipe = {"hybrid": {"Relu_Relu_2": "i16"}, "precompile": True}
    assert (
        told(convert(own, folder, conv_relu_net(), random_samples(PICTURE), **recipe))["pre_compile"] is True
    )


def test_mean_and_std_are_told_to_step_2_as_well(own, folder):
    samples = [{"x": np.full((1, 3, 8, 8), 100, np.float32)}] * 2
    recipe = {"inputs": {"x": {"mean": [50.0], "std": [25.0]}}, "hybrid": {"Relu_Relu_2": "i16"}}
    made = convert(own, folder, conv_relu_net(), samples, **recipe)
    with DumpFile.open(made.dumps["converted"]) as dump:
        assert float(dump.values("x").max()) == 2.0


def deep_net():
    """Names as PyTorch gives them, and one that is longer than what YAML takes without a question mark."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "/model.0/conv/Conv"),
        helper.make_node("Relu", ["c"], ["r"], "/very" + "/deep" * 24),
        helper.make_node("Relu", ["r"], ["y"], "it's 1"),
    ]
    weights = [constant("w", (4, 3, 1, 1))]
    return network(nodes, inputs=PICTURE, outputs=["y"], initializers=weights)


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("Conv_/model.0/conv/Conv_3", "c"),
        ("Conv__model.0_conv_Conv_3", "c"),
        ("Conv__model.0_conv_Conv", "c"),
        ("Relu__very" + "_deep" * 24 + "_2", "r"),
        ("Relu_it_s_1_1", "y"),
    ],
)
def test_a_layer_may_be_called_as_the_toolkit_or_as_a_dump_calls_it(own, folder, name, tensor):
    made = convert(own, folder, deep_net(), random_samples(PICTURE), hybrid={name: "i16"})
    assert told(made)["customized"] == [tensor]


def test_layers_that_step_1_does_not_know_are_named(toolkit, folder):
    layers = {"Conv_Conv_1": "i16", "Conv_nowhere": "i16"}
    error = failure_of(toolkit, folder, conv_relu_net(), random_samples(PICTURE), hybrid=layers)
    assert (error.code, error.detail) == ("recipe:unknown-layer", "'Conv_nowhere'")


@pytest.mark.parametrize(
    "name",
    [DEEP, "@Conv_/model.0/conv/Conv_142:out0", "Conv__model.0_conv_Conv_142", "Conv__model.0_conv_Conv_7"],
)
def test_every_way_to_call_a_layer_leads_to_its_own_name(name):
    assert own_names({name: "float32"}, ["Conv_/model.1/conv/Conv_9", DEEP]) == {DEEP: "float32"}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (r'"@Conv_\xE9_3:out0"', "Conv_é_3"),
        (r'"@a\\xE9_3:out0"', r"a\xE9_3"),
        ("'@it''s_3:weight'", "it's_3"),
    ],
)
def test_names_are_read_as_yaml_writes_them(written, name):
    assert layers_in(f"quantize_parameters:\n    {written}:\n        dtype: u8\n") == [name]


def test_a_name_with_its_number_is_not_ambiguous():
    assert own_names({"Relu_4": "float32"}, ["Relu_3", "Relu_4"]) == {"Relu_4": "float32"}


def test_a_name_that_a_dump_had_to_shorten_is_found_by_its_beginning():
    long = "Conv_" + "/deep" * 50 + "_3"
    short = "Conv_" + "_deep" * 36 + "~0123456789ab"
    assert own_names({short: "float32"}, [long, DEEP]) == {long: "float32"}


@pytest.mark.parametrize("layers", [{"Relu": "float32"}, {"Relu_9": "float32"}])
def test_a_name_that_may_be_several_layers_is_refused_with_all_of_them(layers):
    with pytest.raises(Failed) as caught:
        own_names(layers, ["Relu_3", "Relu_4"])
    assert (caught.value.code, "Relu_3, Relu_4" in str(caught.value)) == ("recipe:invalid", True)


def test_two_types_for_one_layer_are_refused():
    with pytest.raises(Failed) as caught:
        own_names({DEEP: "float32", "Conv__model.0_conv_Conv": "dynamic_fixed_point-i16"}, [DEEP])
    assert (caught.value.code, "two data types" in str(caught.value)) == ("recipe:invalid", True)


@pytest.mark.parametrize("name", ["job", "plan", "result"])
def test_a_network_that_is_called_like_a_file_of_ours_is_converted(own, folder, name):
    """Step 1 names its files after the network, job.json for one."""
    model = conv_relu_net()
    model.graph.name = name
    made = convert(own, folder, model, random_samples(PICTURE), propose=True)
    assert len(made.proposal) == 2


@pytest.mark.parametrize("call", STEPS)
@pytest.mark.parametrize(("how", "words"), [("raise", "ValueError: why"), ("return -1", "it returned -1")])
def test_a_step_that_fails_is_named(own, folder, call, how, words):
    with misbehaving(own.python, call, how, text="why"):
        error = failure_of(own, folder, conv_relu_net(), random_samples(PICTURE), propose=True)
    assert (error.code, f"{call}: {words}" in error.detail) == ("toolkit:failed", True)


@pytest.mark.parametrize("call", STEPS)
def test_no_end_in_a_step_is_taken_for_a_success(toolkit, folder, call):
    with misbehaving(toolkit.python, call, "os._exit"):
        error = failure_of(toolkit, folder, conv_relu_net(), random_samples(PICTURE), propose=True)
    assert error.code == "toolkit:crashed"


@pytest.fixture(scope="module")
def batched(toolkit, tmp_path_factory):
    """An artifact for three samples, in each interpreter; the stand-in analyses no such one."""
    with JobFolder(tmp_path_factory.mktemp("batch"), "batch") as folder:
        yield convert(toolkit, folder, conv_relu_net(), random_samples(PICTURE), batch=3)


def test_the_artifact_takes_as_many_samples_as_the_recipe_says(batched):
    assert told(batched)["batch"] == 3


def test_the_board_gets_the_one_sample_in_every_place(batched):
    with TensorFile.open(batched.inputs) as inputs:
        x = inputs.array("x")
    assert x.shape == (3, 3, 8, 8) and np.array_equal(x[0], x[2])


def test_every_dump_has_the_shapes_of_the_batch(batched):
    shapes = {}
    for rung, path in batched.dumps.items():
        with DumpFile.open(path) as dump:
            shapes[rung] = [(layer.shape[0], dump.values(layer.key).shape[0]) for layer in dump.layers]
    assert set(map(str, shapes.values())) == {str([(3, 3)] * 6)}


def test_its_layers_are_those_of_one_sample(batched, plain):
    with DumpFile.open(batched.dumps["quantized"]) as many, DumpFile.open(plain.dumps["quantized"]) as one:
        assert np.array_equal(many.values("Relu")[2:], one.values("Relu"))
