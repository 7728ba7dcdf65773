"""RKNN-Toolkit 1.x on sources that are no ONNX file: the real job in old interpreters, the stand-in for the package."""

import json

import numpy as np
import pytest
from onnx import helper

from similarity.compare import compare_dumps
from similarity.dumpfile import DumpFile
from similarity.tensorfile import TensorFile
from tests.toolkits import modelfiles as files
from tests.toolkits.networks import ignore, network, never, random_samples, samples_file
from tests.toolkits.oldpythons import PYTHONS, make_environment, misbehaving, packages_of
from workers.errors import JobError
from workers.toolkits.onnxjob.graph import Input
from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.onnxjob.source import Source
from workers.toolkits.probing import ask
from workers.toolkits.rknn1 import Rknn1Toolkit
from workers.toolkits.rknn1files.loading import loading

NCHW, NHWC = (1, 3, 6, 5), (1, 6, 5, 3)
ENDS = {"inputs": ["image"], "outputs": ["out"]}
# format: the files of a job, the sizes that the source has, what the toolkit has to be told
FORMATS = {
    "caffe": (
        {"source.prototxt": files.PROTOTXT, "source.caffemodel": files.caffemodel()}, NCHW,
        ("load_caffe", {"model": "source.prototxt", "blobs": "source.caffemodel", "proto": "caffe"}),
    ),
    "darknet": (
        {"source.cfg": files.CFG, "source.weights": files.WEIGHTS}, NCHW,
        ("load_darknet", {"model": "source.cfg", "weight": "source.weights"}),
    ),
    "keras": ({"source.h5": files.KERAS}, NHWC, ("load_keras", {"model": "source.h5"})),
    "mxnet": (
        {"source.json": files.SYMBOL, "source.params": files.PARAMS}, NCHW,
        ("load_mxnet", {"symbol": "source.json", "params": "source.params", "input_size_list": [[3, 6, 5]]}),
    ),
    "tensorflow": (
        {"source.pb": files.graph_def()}, NHWC,
        ("load_tensorflow", {"tf_pb": "source.pb", "input_size_list": [[6, 5, 3]], **ENDS}),
    ),
    "tflite": ({"source.tflite": files.tflite()}, NHWC, ("load_tflite", {"model": "source.tflite"})),
    "torchscript": (
        {"source.pt": files.torchscript()}, NCHW,
        ("load_pytorch", {"model": "source.pt", "input_size_list": [[3, 6, 5]]}),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The oldest interpreter that is here."""
    oldest = min(PYTHONS, key=lambda name: [name == "this", name])
    return make_environment(tmp_path_factory.mktemp("rknn1"), PYTHONS[oldest])


@pytest.fixture(scope="module")
def toolkit(python):
    return Rknn1Toolkit(python, ask("rknn1", python))


def convert(toolkit, folder, kind, *, exported=None, **recipe):
    """`exported`: what PyTorch made of a .pt file, as the worker puts it beside the source."""
    parts, shape, _ = FORMATS[kind]
    for name, content in parts.items():
        (folder.path / name).write_bytes(content)
    if exported is not None:
        (folder.path / "framework.onnx").write_bytes(exported.SerializeToString())
    samples = random_samples({"image": shape})
    samples_file(folder.path / "calibration.safetensors", samples)
    samples_file(folder.path / "evaluation.safetensors", samples[:1])
    names = list(parts)
    layout = "NHWC" if shape == NHWC else "NCHW"
    folder.write_job(
        {
            "kind": "convert",
            "source": names[0],
            "format": kind,
            "inputs": [{"name": "image", "shape": shape, "dtype": "float32"}],
            "calibration": "calibration.safetensors",
            "evaluation": "evaluation.safetensors",
            "sample": 0,
            "layout": {"calibration": layout, "evaluation": layout},
            "recipe": {"toolkit": "rknn1", "platform": "rv1126", "dtype": "u8", "algorithm": "normal"}
            | {"optimization_level": 3, "inputs": {}}
            | recipe,
            **({"weights": names[1]} if len(names) > 1 else {}),
            **({"ends": ENDS} if kind == "tensorflow" else {}),
            **({"framework": "framework.onnx", "framework_by": "torch"} if exported is not None else {}),
        }
    )
    return toolkit.convert(folder, ignore, never), samples[0]["image"]


def as_nhwc(sample, kind):
    return sample.transpose(0, 2, 3, 1) if FORMATS[kind][1] == NCHW else sample


@pytest.mark.parametrize("kind", FORMATS)
def test_the_toolkit_is_told_what_its_loader_asks_for(toolkit, folder, kind):
    convert(toolkit, folder, kind)
    told = json.loads((folder.path / "plan.json").read_text())["load"]
    assert (told["call"], told["settings"]) == FORMATS[kind][2]


@pytest.mark.parametrize("kind", FORMATS)
def test_samples_go_in_as_the_source_takes_them(toolkit, folder, kind):
    """The stand-in computes a Relu: the float dump shows what arrived, in NHWC."""
    made, sample = convert(toolkit, folder, kind)
    with DumpFile.open(made.dumps["framework"]) as dump:
        assert np.allclose(dump.values(dump.layers[-1].key), np.maximum(as_nhwc(sample, kind), 0), atol=1e-6)
    with TensorFile.open(made.inputs) as inputs:
        assert np.array_equal(inputs.array("image"), sample)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_nothing_here_can_run_is_measured_against_the_toolkits_own_float_graph(toolkit, folder, kind):
    made, _ = convert(toolkit, folder, kind)
    assert (made.framework_by, list(made.dumps)) == ("toolkit", ["framework", "quantized"])
    with DumpFile.open(made.dumps["framework"]) as ours, DumpFile.open(made.dumps["quantized"]) as theirs:
        cosines = [layer.scores.cosine for layer in compare_dumps(ours, theirs).layers]
    assert (len(cosines), 0.999 < min(cosines) < 1) == (2, True)


def test_a_float_build_of_it_has_two_equal_dumps(toolkit, folder):
    made, _ = convert(toolkit, folder, "caffe", dtype="float")
    with DumpFile.open(made.dumps["framework"]) as ours, DumpFile.open(made.dumps["quantized"]) as theirs:
        assert all(np.array_equal(ours.values(one.key), theirs.values(one.key)) for one in ours.layers)


def test_a_pt_file_is_measured_against_what_pytorch_made_of_it(toolkit, folder):
    exported = network(
        [helper.make_node("Relu", ["image"], ["y"], "up")], inputs={"image": NCHW}, outputs=["y"]
    )
    made, _ = convert(toolkit, folder, "torchscript", exported=exported)
    assert (made.framework_by, set(made.dumps)) == ("torch", {"framework", "converted", "quantized"})
    with DumpFile.open(made.dumps["framework"]) as ours, DumpFile.open(made.dumps["converted"]) as theirs:
        found = compare_dumps(ours, theirs).layers[-1]
    assert (found.reference_key, found.scores.cosine > 0.999999) == ("up", True)


def test_mean_and_std_of_the_channels_of_nhwc_are_the_toolkits_work(toolkit, folder):
    wished = {"image": {"mean": [1.0, 2.0, 3.0], "std": [2.0]}}
    convert(toolkit, folder, "tflite", inputs=wished)
    config = json.loads((folder.path / "plan.json").read_text())["config"]
    assert (config["mean_values"], config["std_values"]) == ([[1.0, 2.0, 3.0]], [[2.0, 2.0, 2.0]])


def test_a_file_that_the_toolkit_cannot_read_is_a_typed_failure(toolkit, folder, python):
    with misbehaving(python, "load_caffe", "return -1"), pytest.raises(JobError) as caught:
        convert(toolkit, folder, "caffe")
    assert caught.value.code == "toolkit:failed"


def test_a_format_that_it_has_no_call_for_is_refused(tmp_path):
    source = Source(tmp_path / "source.rknn", None, [], is_dynamic=True, format="rknn")
    with pytest.raises(Refused) as caught:
        loading(source)
    assert caught.value.code == "recipe:wrong-format"


def test_sizes_are_told_without_a_batch_of_one_only(tmp_path):
    inputs = [Input("image", (2, 3, 6, 5), "float32")]
    with pytest.raises(Refused) as caught:
        loading(Source(tmp_path / "source.pt", None, inputs, is_dynamic=True, format="torchscript"))
    assert caught.value.code == "model:dynamic-input"


def test_formats_whose_packages_are_missing_are_not_offered(toolkit):
    assert set(FORMATS) - set(toolkit.offered.offer.formats) == {"torchscript", "mxnet"}


def test_a_package_that_takes_the_interpreter_along_costs_its_formats_only(tmp_path):
    python = make_environment(tmp_path / "broken", PYTHONS["this"])
    (packages_of(python) / "torch.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    (packages_of(python) / "mxnet.py").write_text("raise SystemExit(3)\n")
    formats = ask("rknn1", python).offer.formats
    assert ("onnx" in formats, {"torchscript", "mxnet"} & set(formats)) == (True, set())


def test_they_are_offered_once_the_packages_are_there(tmp_path):
    python = make_environment(tmp_path / "full", PYTHONS["this"])
    for package in ("torch", "mxnet"):
        (packages_of(python) / f"{package}.py").write_text("")
    offered = ask("rknn1", python)
    assert set(FORMATS) | {"onnx"} == set(offered.offer.formats)
    assert "convert.rknn1.torchscript" in offered.queues


def test_a_layer_of_another_format_has_a_data_type_of_its_own(toolkit, folder):
    made, _ = convert(toolkit, folder, "tflite", hybrid={"Relu_relu_0": "i16"})
    with DumpFile.open(made.dumps["quantized"]) as dump:
        assert [layer.qmax for layer in dump.layers] == [255, 32767]


def test_a_batch_of_another_format_repeats_inputs_and_dumps(toolkit, folder):
    made, _ = convert(toolkit, folder, "tflite", batch=2)
    with DumpFile.open(made.dumps["framework"]) as dump, TensorFile.open(made.inputs) as inputs:
        assert [dump.layers[0].shape[0], inputs.array("image").shape[0]] == [2, 2]
