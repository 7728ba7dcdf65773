"""RKNN-Toolkit 1.x by the manual: the real job in old interpreters, against a stand-in for the vendor's package.

What the stand-in computes shows that the way there and back is right; it says nothing of the vendor's numbers.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from similarity.compare import compare_dumps
from similarity.dumpfile import DumpFile
from similarity.metrics import core_scores
from similarity.tensorfile import TensorFile
from tests.toolkits.networks import (
    conv_relu_net,
    ignore,
    network,
    never,
    one_op,
    random_samples,
    write_job,
)
from tests.toolkits.oldpythons import PYTHONS, VERSION, make_environment, misbehaving, packages_of
from workers.child import Limits
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits import rknn1
from workers.toolkits.jobs import run_script
from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.onnxjob.source import Source
from workers.toolkits.probing import probed
from workers.toolkits.rknn1 import Rknn1Toolkit
from workers.toolkits.rknn1files.plan import plan_of

PICTURE = {"x": (1, 3, 8, 8)}
U8 = {
    "toolkit": "rknn1",
    "platform": "rv1126",
    "dtype": "u8",
    "algorithm": "normal",
    "optimization_level": 3,
    "inputs": {},
}
SOURCE = Source(Path("source.onnx"), None, [], is_dynamic=False)
CALLS = ("config", "load_onnx", "build", "export_rknn", "accuracy_analysis", "export_rknn_quant_params")


@pytest.fixture(scope="module", params=PYTHONS)
def toolkit(request, tmp_path_factory):
    """The toolkit in each interpreter that is here: 3.6 and 3.8 where they are, and the one that runs the tests."""
    return opened(make_environment(tmp_path_factory.mktemp("rknn1"), PYTHONS[request.param]))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The toolkit in the interpreter that runs the tests, for what does not depend on it."""
    return opened(make_environment(tmp_path_factory.mktemp("own"), PYTHONS["this"]))


def opened(python: Path) -> Rknn1Toolkit:
    """The toolkit as a worker finds it."""
    offered = probed("rknn1", python)
    assert offered is not None
    return Rknn1Toolkit(python, offered)


def convert(toolkit, folder, model, samples, on_event=ignore, **recipe):
    write_job(folder, model, samples, **U8 | recipe)
    return toolkit.convert(folder, on_event, never)


def failure_of(toolkit, folder, model, samples, **recipe) -> JobError:
    with pytest.raises(JobError) as caught:
        convert(toolkit, folder, model, samples, **recipe)
    return caught.value


@pytest.fixture(scope="module")
def made(toolkit, tmp_path_factory):
    """One conversion in each interpreter that several tests look at."""
    with JobFolder(tmp_path_factory.mktemp("kept"), "kept") as folder:
        yield convert(toolkit, folder, conv_relu_net(), random_samples(PICTURE))


def test_the_artifact_is_what_the_toolkit_exported(made):
    assert made.artifact.read_bytes()[:4] == b"RKNN"


def test_the_version_is_what_the_interpreter_has(made):
    assert made.toolkit_version == f"rknn-toolkit {VERSION}"


def test_its_float_chain_agrees_with_the_source(made):
    """Through files of NHWC and back: nothing was turned, and layers were matched by name."""
    with DumpFile.open(made.dumps["framework"]) as ours, DumpFile.open(made.dumps["converted"]) as theirs:
        compared = compare_dumps(ours, theirs)
        assert [layer.scores.cosine > 0.999999 for layer in compared.layers] == [True] * len(ours.layers)


def test_layers_keep_the_sources_keys_and_edges(made):
    with DumpFile.open(made.dumps["framework"]) as ours, DumpFile.open(made.dumps["quantized"]) as theirs:
        assert [(layer.key, layer.op, layer.inputs) for layer in theirs.layers] == [
            (layer.key, layer.op, layer.inputs) for layer in ours.layers
        ]


def test_scores_of_its_tensors_are_what_it_printed(made):
    rows = json.loads(made.build_facts.read_text())["accuracy"]
    printed = [row["entire"]["cosine_norm"] for row in rows]
    with DumpFile.open(made.dumps["converted"]) as floats, DumpFile.open(made.dumps["quantized"]) as steps:
        scores = [core_scores(floats.tensor(one.key), steps.tensor(one.key)) for one in floats.layers]
    assert [one.cosine for one in scores] == pytest.approx(printed, abs=1e-6)


def test_rows_carry_what_each_layer_does_alone(made):
    rows = json.loads(made.build_facts.read_text())["accuracy"]
    assert [sorted(row["single"]) for row in rows] == [
        [],
        *[["cosine_norm", "eculidean_norm"]] * (len(rows) - 1),
    ]


def test_quantized_layers_know_their_scale(made):
    with DumpFile.open(made.dumps["quantized"]) as dump:
        layer = next(one for one in dump.layers if one.key == "Relu")
        steps = dump.values("Relu") / layer.scale
    assert np.abs(steps - np.rint(steps)).max() < 1e-4


def test_the_calibration_table_has_every_tensor(made):
    assert len(json.loads(made.calibration_table.read_text())) == 6


def test_warnings_of_outliers_are_kept(made):
    assert any("found outlier" in line for line in json.loads(made.build_facts.read_text())["warnings"])


@pytest.mark.parametrize("dtype", ["i8", "i16"])
def test_dynamic_fixed_point_has_a_scale_of_a_power_of_two(own, folder, dtype):
    made = convert(own, folder, conv_relu_net(), random_samples(PICTURE), dtype=dtype)
    with DumpFile.open(made.dumps["quantized"]) as dump:
        scales = [layer.scale for layer in dump.layers]
    assert all(float(np.log2(scale)).is_integer() for scale in scales)


def test_a_float_build_has_no_scales(own, folder):
    made = convert(own, folder, conv_relu_net(), random_samples(PICTURE), dtype="float")
    with DumpFile.open(made.dumps["quantized"]) as dump:
        assert [layer.scale for layer in dump.layers] == [None] * 6


def test_mean_and_std_are_built_into_the_artifact(toolkit, folder):
    """The toolkit is fed with the samples as they were and begins with the normalised ones."""
    samples = [{"x": np.full((1, 3, 8, 8), 100, np.float32)}] * 2
    made = convert(toolkit, folder, conv_relu_net(), samples, inputs={"x": {"mean": [50.0], "std": [25.0]}})
    with DumpFile.open(made.dumps["converted"]) as dump, TensorFile.open(made.inputs) as inputs:
        assert (float(dump.values("x").max()), float(inputs.array("x").max())) == (2.0, 100.0)


def test_an_input_left_open_takes_the_recipes_shape(own, folder):
    model = one_op("Relu", ("n", 3, "h", "w"))
    samples = random_samples({"x": (1, 3, 4, 4)})
    made = convert(own, folder, model, samples, inputs={"x": {"shape": [1, 3, 4, 4]}})
    with DumpFile.open(made.dumps["quantized"]) as dump:
        assert dump.layers[0].shape == (1, 4, 4, 3)


def test_six_dimensions_keep_their_order(own, folder):
    """Only four dimensions are NHWC; the shape in a file's name is the tensor's."""
    nodes = [
        helper.make_node("Reshape", ["x", "six"], ["r"], "Reshape_0"),
        helper.make_node("Transpose", ["r"], ["y"], "Transpose_1", perm=[0, 1, 4, 2, 5, 3]),
    ]
    six = helper.make_tensor("six", 7, [6], [1, 3, 2, 2, 4, 4])
    model = network(nodes, inputs={"x": (1, 12, 4, 4)}, outputs=["y"], initializers=[six])
    made = convert(own, folder, model, random_samples({"x": (1, 12, 4, 4)}))
    with DumpFile.open(made.dumps["framework"]) as ours, DumpFile.open(made.dumps["converted"]) as theirs:
        key = theirs.layers[-1].key
        assert np.allclose(ours.values(key), theirs.values(key))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The folder as the vendor's step finds it."""
    with JobFolder(tmp_path_factory.mktemp("prepared"), "prepared") as folder:
        write_job(folder, conv_relu_net(), random_samples(PICTURE), **U8)
        run_script("rknn1_prepare_job", folder, **watching())
        yield folder.path


def watching(silence: float = 60) -> dict[str, Any]:
    return {"limits": Limits(silence_seconds=silence), "on_event": ignore, "should_stop": never}


def failure_in(toolkit, prepared, folder, silence: float = 60) -> JobError:
    """How the vendor's step fails, without the steps of ours around it."""
    shutil.copytree(prepared, folder.path, dirs_exist_ok=True)
    with pytest.raises(JobError) as caught:
        toolkit.carry_out(folder, watching(silence))
    return caught.value


@pytest.mark.parametrize("call", CALLS)
def test_an_exception_in_any_call_is_a_failure_with_its_words(own, prepared, folder, call):
    with misbehaving(own.python, call, "raise", text="the vendor's reason"):
        error = failure_in(own, prepared, folder)
    assert (error.code, f"{call}: ValueError: the vendor's reason" in error.detail) == (
        "toolkit:failed",
        True,
    )


@pytest.mark.parametrize("call", [call for call in CALLS if call != "config"])
def test_minus_one_of_any_call_is_a_failure_that_names_it(own, prepared, folder, call):
    with misbehaving(own.python, call, "return -1"):
        error = failure_in(own, prepared, folder)
    assert (error.code, f"{call}: it returned -1" in error.detail) == ("toolkit:failed", True)


@pytest.mark.parametrize(
    "how, code",
    [("abort", "toolkit:crashed"), ("sys.exit", "toolkit:failed"), ("os._exit", "toolkit:crashed")],
)
def test_no_end_of_its_process_is_taken_for_a_success(toolkit, prepared, folder, how, code):
    with misbehaving(toolkit.python, "build", how):
        assert failure_in(toolkit, prepared, folder).code == code


def test_the_last_words_of_an_abort_are_kept(toolkit, prepared, folder):
    with misbehaving(toolkit.python, "build", "abort", prints="last words\n"):
        assert "last words" in failure_in(toolkit, prepared, folder).detail


def test_silence_is_ended(own, prepared, folder):
    with misbehaving(own.python, "build", "hang"):
        assert failure_in(own, prepared, folder, silence=2).code == "toolkit:timed-out"


@pytest.mark.parametrize(
    "prints, code",
    [
        ("E Not match tensor Erf_3:out0\nE\n", "model:unsupported-operator"),
        ("\x1b[31mE FIFOQueue '_0' is closed and has insufficient elements\x1b[0m\n\n\n", "data:empty"),
        ("E ModuleNotFoundError: No module named 'tensorflow'\n", "toolkit:incomplete"),
        (
            "E KeyError: 'aten::pixel_shuffle'\nE Please feedback the detailed log file\n",
            "model:unsupported-operator",
        ),
    ],
)
def test_minus_one_is_explained_by_what_was_printed(toolkit, prepared, folder, prints, code):
    with misbehaving(toolkit.python, "build", "return -1", prints=prints):
        assert failure_in(toolkit, prepared, folder).code == code


def test_an_operator_that_it_does_not_match_is_named(own, folder):
    """It returned -1, coloured and with an empty last line."""
    error = failure_of(own, folder, one_op("Softplus", (1, 3, 4, 4)), random_samples({"x": (1, 3, 4, 4)}))
    assert (error.code, "Softplus" in error.detail) == ("model:unsupported-operator", True)


def test_samples_of_a_wrong_size_never_reach_it(own, folder):
    """It would resize them without a word [TS 6.6]."""
    error = failure_of(own, folder, conv_relu_net(), random_samples({"x": (1, 3, 5, 7)}))
    assert (error.code, (folder.path / "plan.json").exists()) == ("data:wrong-shape", False)


def test_a_package_that_does_not_start_is_an_incomplete_environment(own, prepared, folder):
    """As the vendor's package without TensorFlow [TS 3.3]."""
    package = packages_of(own.python) / "rknn" / "api.py"
    kept = package.read_text()
    package.write_text("import tensorflow\n")
    try:
        assert failure_in(own, prepared, folder).code == "toolkit:incomplete"
    finally:
        package.write_text(kept)


def test_stages_arrive_though_a_progress_bar_has_no_end_of_line(own, folder):
    """The stand-in leaves a bar behind load_onnx; the event that follows begins a line of its own."""
    told = []
    convert(own, folder, conv_relu_net(), random_samples(PICTURE), on_event=told.append)
    assert ("building", 0) in [(event["name"], event["done"]) for event in told]


def test_a_folder_or_an_interpreter_may_be_named(own, settings):
    settings.RKNN1_PLACES = [own.python.parents[1], own.python]
    assert [found.python for found in rknn1.here()] == [own.python, own.python]


def test_an_interpreter_without_the_package_is_no_toolkit(settings):
    settings.RKNN1_PLACES = [Path(PYTHONS["this"])]
    assert rknn1.here() == []


def test_a_place_where_nothing_is_is_no_toolkit(settings, tmp_path):
    settings.RKNN1_PLACES = [tmp_path / "nowhere"]
    assert rknn1.here() == []


def test_the_probe_tells_version_platforms_and_data_types(toolkit):
    """By asking the toolkit's own config(), in its own interpreter."""
    assert toolkit.offered.as_dict() == {
        "toolkit": "rknn1",
        "version": VERSION,
        "title": f"rknn-toolkit {VERSION}",
        "dtypes": {platform: ["u8", "i8", "i16", "float"] for platform in ("rv1126", "rv1109")},
        "algorithms": {dtype: ["normal", "mmse", "kl_divergence"] for dtype in ("u8", "i8", "i16", "float")},
        "formats": ["onnx", "tflite", "caffe", "keras", "tensorflow", "darknet"],
    }


def test_what_its_config_refuses_is_not_offered(tmp_path):
    python = make_environment(tmp_path / "other", PYTHONS["this"])
    with misbehaving(python, "config", "raise"):
        assert probed("rknn1", python) is None


@pytest.mark.parametrize("is_asked", [True, False])
def test_the_toolkit_is_told_to_precompile_when_the_recipe_says_so(toolkit, folder, is_asked):
    """In each interpreter; the stand-in writes down what build() was told."""
    model, samples = conv_relu_net(), random_samples(PICTURE)
    made = convert(toolkit, folder, model, samples, **({"precompile": True} if is_asked else {}))
    told = json.loads(made.artifact.read_bytes()[8:])
    assert told["pre_compile"] is is_asked


@pytest.mark.parametrize(
    "setting",
    [{"method": "channel"}, {"batch": 32}, {"batch": 2, "propose": True}, {"hybrid": {"x": "int16"}}],
)
def test_a_setting_that_it_does_not_carry_out_is_refused(setting):
    recipe = {"dtype": "u8", "algorithm": "normal", "platform": "rv1126", "optimization_level": 3, **setting}
    with pytest.raises(Refused) as caught:
        plan_of(recipe, SOURCE, {}, samples=2)
    assert caught.value.code == "recipe:invalid"


def test_further_settings_are_handed_to_its_config():
    recipe = {"dtype": "u8", "algorithm": "normal", "platform": "rv1126", "optimization_level": 3}
    more = {**recipe, "calibration_batch": 5, "extra": {"force_builtin_perm": True}}
    config = plan_of(more, SOURCE, {}, samples=9)["config"]
    assert (config["batch_size"], config["force_builtin_perm"]) == (5, True)
