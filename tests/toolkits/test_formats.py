"""Formats of uploads, told by content through the real inspection child: what is found, and what is refused."""

import contextlib
import random

import pytest

from tests.toolkits import modelfiles as files
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits.inspect import inspect_model
from workers.toolkits.inspect_model_job import inspect as look
from workers.toolkits.onnxjob.jobside import Refused

CAFFE = {"net.prototxt": files.PROTOTXT, "net.caffemodel": files.caffemodel()}
DARKNET = {"a.cfg": files.CFG, "a.weights": files.WEIGHTS}
MXNET = {"m-symbol.json": files.SYMBOL, "m-0000.params": files.PARAMS}
GOOD = {
    "torchscript": (files.torchscript(), [("image", None), ("mask", None)]),
    "tflite": (files.tflite(), [("image", (1, 120, 90, 3))]),
    "tensorflow": (files.graph_def(), [("image", (None, 120, 90, 3))]),
    "keras": (files.KERAS, [("image", (None, 120, 90, 3))]),
    "rknn": (files.rknn(), [("image", (1, 3, 120, 90))]),
    "caffe": (files.zipped(CAFFE), [("data", (1, 3, 16, 16))]),
    "darknet": (files.zipped(DARKNET), [("data", (1, 3, 16, 16))]),
    "mxnet": (files.zipped(MXNET), [("data", None)]),
}
OPERATORS = {
    "torchscript": {"aten::mul": 1, "aten::pixel_shuffle": 1},
    "tflite": {"CONV_2D": 1},
    "tensorflow": {"Placeholder": 1, "Relu": 1},
    "keras": {"Conv2D": 1},
    "caffe": {"Convolution": 1, "Input": 1, "ReLU": 1},
    "darknet": {"convolutional": 1},
    "mxnet": {"Convolution": 1},
    "rknn": {},
}


def inspected(folder, content: bytes, **settings):
    upload = folder.path.parent / "upload"
    upload.write_bytes(content)
    return inspect_model(folder, upload, **settings)


def failure_of(folder, content: bytes) -> Refused:
    """The same look without a child of its own, which would take half a second each."""
    (folder.path / "model").write_bytes(content)
    with pytest.raises(Refused) as caught:
        look(folder.path, {"model": "model"})
    return caught.value


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the inspection says of each format, by name."""
    found = {}
    for name, (content, _) in GOOD.items():
        with JobFolder(tmp_path_factory.mktemp(name), "inspection") as folder:
            found[name] = inspected(folder, content)
    return found


@pytest.mark.parametrize("name", GOOD)
def test_a_format_is_recognised_by_its_content(seen, name):
    assert seen[name].format == name


@pytest.mark.parametrize("name", GOOD)
def test_inputs_are_told_as_far_as_the_file_tells_them(seen, name):
    assert [(one.name, one.shape) for one in seen[name].inputs] == GOOD[name][1]


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_counted_where_they_can_be_read(seen, name):
    assert seen[name].operators == OPERATORS[name]


@pytest.mark.parametrize("name", ["torchscript", "mxnet", "keras"])
def test_sizes_that_the_file_does_not_tell_are_asked_of_the_recipe(seen, name):
    assert (seen[name].dynamic, [r.code for r in seen[name].lint]) == (True, ["inputs-unknown"])


def test_the_order_of_the_two_files_does_not_matter(folder):
    assert inspected(folder, files.zipped(dict(reversed(CAFFE.items())))).format == "caffe"


def test_old_prototxts_name_their_input_above_the_layers(folder):
    text = b'input: "x"\ninput_dim: 1 input_dim: 3\ninput_dim: 8 input_dim: 9\nlayers { type: RELU bottom: "x" }\n'
    found = inspected(folder, files.zipped({"a": text, "b": files.caffemodel()}))
    assert [(one.name, one.shape) for one in found.inputs] == [("x", (1, 3, 8, 9))]


REFUSED = {
    "weights of PyTorch": (
        files.zipped({"a/data.pkl": b"\x80\x02.", "a/data/0": b"x"}),
        "model:weights-only",
    ),
    "an old pickle": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "model:weights-only"),
    "a new pickle": (b"\x80\x04\x95" + bytes(30), "model:weights-only"),
    "safetensors": ((30).to_bytes(8, "little") + b'{"a": 1}' + bytes(40), "model:weights-only"),
    "Keras weights": (b"\x89HDF\r\n\x1a\n" + bytes(200), "model:weights-only"),
    "a .keras archive": (
        files.zipped({"config.json": b"{}", "model.weights.h5": b"x"}),
        "model:unsupported-format",
    ),
    "a SavedModel": (files.zipped({"saved_model.pb": b"x", "variables/v": b"x"}), "model:unsupported-format"),
    "a torch.export archive": (
        files.zipped({"a/archive_format": b"pt2", "a/b": b""}),
        "model:unsupported-format",
    ),
    "half of Caffe": (files.PROTOTXT, "model:incomplete"),
    "half of Darknet": (files.CFG, "model:incomplete"),
    "half of MXNet": (files.PARAMS, "model:incomplete"),
    "two descriptions": (files.zipped({"a": files.CFG, "b": files.PROTOTXT}), "model:unsupported-format"),
    "foreign weights": (files.zipped({"a": files.CFG, "b": files.PARAMS}), "model:incomplete"),
    "three files": (files.zipped({**DARKNET, "c": b""}), "model:unsupported-format"),
    "a zip of nothing": (files.zipped({}), "model:not-onnx"),
    "a damaged zip": (files.zipped(CAFFE)[:-30], "model:unsupported-format"),
    "a damaged TFLite file": (files.tflite()[:90], "model:invalid"),
    "a damaged graph": (files.graph_def()[:-3], "model:invalid"),
    "Caffe weights cut short": (
        files.zipped({**CAFFE, "net.caffemodel": files.caffemodel()[:40]}),
        "model:invalid",
    ),
    "Caffe weights of another net": (
        files.zipped({**CAFFE, "net.caffemodel": b"\x0a\x03net\xa2\x06\x04\x0a\x02c1"}),
        "model:incomplete",
    ),
    "an unclosed prototxt": (files.zipped({**CAFFE, "net.prototxt": files.PROTOTXT[:-2]}), "model:invalid"),
    "brackets without end": (
        files.zipped({**CAFFE, "net.prototxt": b"layer {\n" * 5000}),
        "model:invalid",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_whole_model_is_refused(folder, name):
    content, code = REFUSED[name]
    assert failure_of(folder, content).code == code


def test_whoever_uploads_weights_is_told_to_trace(folder):
    assert "torch.jit.trace" in failure_of(folder, REFUSED["weights of PyTorch"][0]).detail


@pytest.mark.parametrize("member", ["data.pkl", "traced_inputs.pkl", "constants.pkl"])
def test_a_pickle_of_a_stranger_is_never_loaded(folder, tmp_path, member):
    touched = tmp_path / "touched"
    inspected(folder, files.torchscript(**{member: files.trap(str(touched))}))
    assert not touched.exists()


def test_a_zip_that_unpacks_to_more_than_is_allowed_is_refused(folder):
    bomb = files.zipped({"a.cfg": files.CFG, "a.weights": files.WEIGHTS + bytes(1_000_000)})
    with pytest.raises(JobError) as caught:
        inspected(folder, bomb, max_bytes=500_000)
    assert caught.value.code == "model:too-large"


@pytest.mark.parametrize("name", ["tflite", "tensorflow", "caffe", "keras", "rknn"])
def test_damaged_bytes_are_read_or_refused(folder, name):
    """A few hundred mutants; none may raise anything else, or take long."""
    rng, whole = random.Random(5), GOOD[name][0]
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 3, 20])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        (folder.path / "model").write_bytes(bytes(data))
        with contextlib.suppress(Refused):
            look(folder.path, {"model": "model"})


def test_changed_bytes_of_torchscript_are_noticed(folder):
    content = bytearray(files.torchscript())
    content[content.index(b"pixel_shuffle")] ^= 1
    assert failure_of(folder, bytes(content)).code == "model:unsupported-format"


FOREIGN = {
    "SavedModel": b"\x08\x01\x12\x90\x01\x0a\x10\x12\x0e\x0a\x0c\x0a\x05AddV2",
    ".ort": b"\x20\x00\x00\x00ORTM" + bytes(40),
    "ncnn": b"7767517\n75 83\nInput in0 0 1 in0\n",
    "OpenVINO": b'<?xml version="1.0"?>\n<net name="net" version="11">',
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
    "web page": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "torch.package": files.zipped(
        {"net/.data/extern_modules": b"torch\n", "net/.data/version": b"6\n", "net/m": b""}
    ),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_another_tools_file_is_told_by_its_name(folder, kind):
    refused = failure_of(folder, FOREIGN[kind])
    assert (refused.code, kind in refused.detail) == ("model:unsupported-format", True)
