"""The reference toolkit through its real subprocess: what it fuses, stores, and refuses."""

import hashlib
import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper

from dashboard.conversions.recipe import RecipeSettings
from similarity.dumpfile import DumpFile
from similarity.metrics import core_scores
from similarity.tensorfile import TensorFile, write_tensors
from tests.toolkits.networks import (
    conv_relu_net,
    convert,
    ignore,
    network,
    never,
    one_op,
    random_samples,
    samples_file,
)
from workers.errors import JobError, LeaseLost
from workers.jobfolder import JobFolder
from workers.toolkits.base import get_toolkit
from workers.toolkits.reference import checked

PICTURE = {"x": (1, 3, 8, 8)}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """One conversion of the small network that several tests look at."""
    with JobFolder(tmp_path_factory.mktemp("kept"), "kept") as folder:
        yield folder, convert(folder, conv_relu_net(), random_samples(PICTURE))


def test_a_toolkit_that_this_worker_does_not_have_is_named(settings, tmp_path):
    settings.RKNN2_DIRS = [tmp_path]
    with pytest.raises(JobError) as caught:
        get_toolkit(RecipeSettings(toolkit="rknn2", platform="rk3588", dtype="w8a8"))
    assert (caught.value.code, "rknn2" in caught.value.detail) == ("recipe:no-toolkit", True)


def test_a_relu_and_a_clip_belong_to_the_convolution_before_them(kept):
    with DumpFile.open(kept[1].dumps["framework"]) as dump:
        assert [(layer.name, layer.op, layer.sources) for layer in dump.layers] == [
            ("x", "Input", ()),
            ("Conv_1", "Conv", ("Conv_1", "Relu_2")),
            ("Conv_3", "Conv", ("Conv_3", "Clip_4")),
            ("Add_5", "Add", ("Add_5",)),
        ]


def test_both_dumps_hold_the_same_layers(kept):
    with (
        DumpFile.open(kept[1].dumps["framework"]) as floats,
        DumpFile.open(kept[1].dumps["quantized"]) as steps,
    ):
        assert [layer.key for layer in floats.layers] == [layer.key for layer in steps.layers]


def test_keys_do_not_carry_build_numbers(kept):
    with DumpFile.open(kept[1].dumps["framework"]) as dump:
        assert [layer.key for layer in dump.layers] == ["x", "Conv", "Conv#2", "Add"]


def test_layers_know_what_feeds_them(kept):
    with DumpFile.open(kept[1].dumps["framework"]) as dump:
        assert [layer.inputs for layer in dump.layers] == [(), ("x",), ("Conv",), ("Conv#2",)]


def test_the_float_dump_is_what_the_source_computes(kept):
    converted = kept[1]
    with TensorFile.open(converted.inputs) as inputs:
        feed = {"x": inputs.array("x")}
        expected = ort.InferenceSession(conv_relu_net().SerializeToString()).run(None, feed)[0]
    with DumpFile.open(converted.dumps["framework"]) as dump:
        np.testing.assert_allclose(dump.values("Add"), expected, rtol=1e-5, atol=1e-6)


def test_the_quantized_dump_is_stored_in_steps(kept):
    with DumpFile.open(kept[1].dumps["quantized"]) as dump:
        assert {dump.stored(layer.key).dtype.name for layer in dump.layers} == {"uint8"}


def test_the_quantized_layers_resemble_the_float_ones(kept):
    with (
        DumpFile.open(kept[1].dumps["framework"]) as floats,
        DumpFile.open(kept[1].dumps["quantized"]) as steps,
    ):
        cosines = [
            core_scores(floats.values(layer.key), steps.values(layer.key)).cosine for layer in floats.layers
        ]
    assert min(cosines) > 0.999


def test_the_artifact_names_the_uint8_tensor_of_each_layer(kept):
    model = onnx.load(kept[1].artifact)
    layers = json.loads({entry.key: entry.value for entry in model.metadata_props}["layers"])
    produced = {name: node.op_type for node in model.graph.node for name in node.output}
    assert {produced[layer["tensor"]] for layer in layers} == {"QuantizeLinear"}


def test_the_quantized_dump_is_what_the_artifact_computes_without_optimizations(kept):
    converted = kept[1]
    model = onnx.load(converted.artifact)
    layers = json.loads({entry.key: entry.value for entry in model.metadata_props}["layers"])
    model.graph.output.add(name=layers[1]["tensor"])
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    with TensorFile.open(converted.inputs) as inputs, DumpFile.open(converted.dumps["quantized"]) as dump:
        values = ort.InferenceSession(model.SerializeToString(), options).run(None, {"x": inputs.array("x")})
        np.testing.assert_array_equal(values[-1], dump.stored(layers[1]["key"]))


def test_the_calibration_table_has_range_and_scale_of_each_tensor(kept):
    table = json.loads(kept[1].calibration_table.read_text())
    assert set(table["r1"]) == {"min", "max", "scale", "zero_point"} and table["r1"]["min"] == 0


def test_the_artifact_is_a_valid_model(kept):
    onnx.checker.check_model(onnx.load(kept[1].artifact), full_check=True)


def test_weights_are_uint8_and_biases_int32(kept):
    constants = {tensor.name: tensor.data_type for tensor in onnx.load(kept[1].artifact).graph.initializer}
    assert (constants["w1_quantized"], constants["b1_quantized"]) == (
        onnx.TensorProto.UINT8,
        onnx.TensorProto.INT32,
    )


def test_the_same_input_gives_the_same_bytes(tmp_path, kept):
    with JobFolder(tmp_path, "again") as folder:
        again = convert(folder, conv_relu_net(), random_samples(PICTURE))
        files = [
            (one.artifact, *one.dumps.values(), one.calibration_table, one.inputs) for one in (kept[1], again)
        ]
        hashes = [[hashlib.sha256(path.read_bytes()).hexdigest() for path in row] for row in files]
    assert hashes[0] == hashes[1]


def test_level_0_keeps_every_operator_apart(folder):
    converted = convert(folder, conv_relu_net(), random_samples(PICTURE), optimization_level=0)
    with DumpFile.open(converted.dumps["quantized"]) as dump:
        assert [layer.op for layer in dump.layers] == ["Input", "Conv", "Relu", "Conv", "Clip", "Add"]


@pytest.mark.parametrize("algorithm", ["entropy", "percentile"])
def test_other_algorithms_find_narrower_ranges(folder, kept, algorithm):
    samples = random_samples({"x": (1, 3, 8, 8)}, count=8)
    samples[0]["x"][0, 0, 0, 0] = 60.0  # One outlier among 1536 values.
    converted = convert(folder, conv_relu_net(), samples, algorithm=algorithm)
    table = json.loads(converted.calibration_table.read_text())
    assert table["x"]["max"] < 60.0 or algorithm == "percentile"


def test_pictures_go_through_channel_order_mean_and_deviation(folder):
    picture = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    recipe = {"x": {"shape": None, "mean": [1, 2, 3], "std": [2, 4, 8], "reorder": True}}
    converted = convert(folder, conv_relu_net(), [{"": picture}], layout="NHWC", inputs=recipe)
    expected = ((picture[..., ::-1].astype(np.float32) - [1, 2, 3]) / [2, 4, 8]).transpose(2, 0, 1)[None]
    with TensorFile.open(converted.inputs) as inputs:
        np.testing.assert_allclose(inputs.array("x"), expected)


def test_progress_is_told_stage_by_stage(folder):
    events: list[dict] = []
    samples = samples_file(folder.path / "s", random_samples(PICTURE))
    (folder.path / "source.onnx").write_bytes(conv_relu_net().SerializeToString())
    folder.add("c", samples)
    folder.write_job({"source": "source.onnx", "calibration": "c", "evaluation": "c", "recipe": {}})
    get_toolkit(RecipeSettings()).convert(folder, events.append, never)
    names = list(dict.fromkeys(event["name"] for event in events))
    assert names == ["loading", "calibrating", "quantizing", "float dump", "quantized dump"]


def refused(folder, *arguments, **settings) -> JobError:
    with pytest.raises(JobError) as caught:
        convert(folder, *arguments, **settings)
    return caught.value


def value(*shape, fill=0.5, dtype=np.float32):
    return [{"": np.full(shape, fill, dtype)}]


BAD_SAMPLES = {
    "wrong size": (value(3, 9, 8), "NCHW", "data:wrong-shape"),
    "wrong rank": (value(8, 8), "NCHW", "data:wrong-shape"),
    "pictures called NCHW": (value(8, 8, 3), "NCHW", "data:wrong-layout"),
    "arrays called NHWC": (value(3, 8, 8), "NHWC", "data:wrong-layout"),
    "not a number": (value(3, 8, 8, fill=np.nan), "NCHW", "data:not-finite"),
    "truth values": (value(3, 8, 8, fill=True, dtype=np.bool_), "NCHW", "data:wrong-type"),
    "another input's name": ([{"image": np.zeros((3, 8, 8), np.float32)}], "NCHW", "data:wrong-names"),
    "no samples": ([], "NCHW", "data:empty"),
}


@pytest.mark.parametrize("name", BAD_SAMPLES)
def test_samples_that_do_not_fit_are_refused(folder, name):
    samples, layout, code = BAD_SAMPLES[name]
    assert refused(folder, conv_relu_net(), samples, layout=layout).code == code


def test_several_samples_in_one_array_are_told_apart_from_a_wrong_size(folder):
    assert "a zip of them" in refused(folder, conv_relu_net(), value(5, 3, 8, 8), layout="NCHW").detail


def test_a_wrong_size_is_not_taken_for_several_samples(folder):
    assert "zip" not in refused(folder, conv_relu_net(), value(5, 3, 9, 8), layout="NCHW").detail


def test_grey_pictures_fit_an_input_of_one_channel(folder):
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    converted = convert(folder, one_op("Relu", (1, 1, 8, 8)), [{"": picture}], layout="NHWC")
    with TensorFile.open(converted.inputs) as inputs:
        np.testing.assert_array_equal(inputs.array("x"), grey[None, None].astype(np.float32))


def test_pictures_with_colours_do_not_fit_an_input_of_one_channel(folder):
    picture = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    caught = refused(folder, one_op("Relu", (1, 1, 8, 8)), [{"": picture}], layout="NHWC")
    assert (caught.code, "grey pictures" in caught.detail) == ("data:wrong-shape", True)


BAD_RECIPES = {
    "type": {"dtype": "i8"},
    "algorithm": {"algorithm": "magic"},
    "level": {"optimization_level": 9},
    "unknown input": {"inputs": {"z": {"shape": [1]}}},
    "zero deviation": {"inputs": {"x": {"std": [0]}}},
    "means for other channels": {"inputs": {"x": {"mean": [1, 2]}}},
    "another shape": {"inputs": {"x": {"shape": [1, 3, 9, 9]}}},
}


@pytest.mark.parametrize("name", BAD_RECIPES)
def test_recipes_that_cannot_be_carried_out_are_refused(folder, name):
    assert (
        refused(folder, conv_relu_net(), random_samples(PICTURE), **BAD_RECIPES[name]).code
        == "recipe:invalid"
    )


def test_an_input_without_sizes_is_refused(folder):
    assert refused(folder, one_op("Relu", ("n", 4)), value(1, 4)).code == "model:dynamic-input"


def test_sizes_may_come_from_the_recipe(folder):
    converted = convert(folder, one_op("Relu", ("n", 4)), value(2, 4), inputs={"x": {"shape": [2, 4]}})
    with DumpFile.open(converted.dumps["framework"]) as dump:
        assert [layer.shape for layer in dump.layers] == [(2, 4), (2, 4)]


def test_an_operator_the_runtime_does_not_know_is_named(folder):
    node = helper.make_node("FancyNorm", ["x"], ["y"], "f", domain="com.microsoft")
    model = network([node], inputs={"x": (1, 4)}, outputs=["y"], domains={"com.microsoft": 1})
    error = refused(folder, model, value(1, 4))
    assert error.code == "model:unsupported-operator" and "FancyNorm" in error.detail


def test_a_stopped_conversion_writes_nothing(folder):
    (folder.path / "source.onnx").write_bytes(conv_relu_net().SerializeToString())
    folder.write_job({"source": "source.onnx", "calibration": "c", "evaluation": "c", "recipe": {}})
    with pytest.raises(LeaseLost):
        get_toolkit(RecipeSettings()).convert(folder, ignore, lambda: True)


def good_result() -> dict:
    return {
        "artifact": "artifact.onnx",
        "inputs": "inputs.safetensors",
        "dumps": {"framework": "framework.safetensors", "quantized": "quantized.safetensors"},
        "calibration_table": "calibration.json",
        "toolkit_version": "1",
    }


def cut_artifact(folder):
    path = folder.path / "artifact.onnx"
    path.write_bytes(path.read_bytes()[:-40])


def other_inputs(folder):
    write_tensors(
        folder.path / "inputs.safetensors", {"z": np.zeros(3, np.float32)}, {"layerwise": "inputs/1"}
    )


DAMAGE = {
    "empty artifact": lambda folder: (folder.path / "artifact.onnx").write_bytes(b""),
    "truncated artifact": cut_artifact,
    "artifact that is a picture": lambda folder: (folder.path / "artifact.onnx").write_bytes(
        b"\x89PNG\r\n\x1a\n" * 9
    ),
    "other inputs": other_inputs,
    "missing dump": lambda folder: (folder.path / "quantized.safetensors").unlink(),
    "swapped dump": lambda folder: folder.add("quantized.safetensors", folder.path / "framework.safetensors"),
    "table that is no JSON": lambda folder: (folder.path / "calibration.json").write_text("{"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_results_do_not_count(folder, name):
    convert(folder, conv_relu_net(), random_samples(PICTURE))
    DAMAGE[name](folder)
    with pytest.raises((JobError, ValueError)) as caught:
        checked(folder, good_result())
    assert getattr(caught.value, "code", "toolkit:bad-result") == "toolkit:bad-result"
