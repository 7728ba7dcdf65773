"""The real RKNN-Toolkit2 with TensorFlow beside it: TensorFlow Lite and frozen graphs, their inputs NHWC."""

import subprocess

import numpy as np
import pytest

from dashboard.conversions.offers import OFFERS
from similarity.compare import compare_dumps
from similarity.dumpfile import DumpFile
from similarity.tensorfile import TensorFile
from tests.toolkits.networks import ignore, never, random_samples, samples_file
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits import rknn2
from workers.toolkits.inspect import inspect_model
from workers.toolkits.jobs import ROOT

TOOLKIT = next((one for one in rknn2.here() if "tflite" in one.offered.offer.formats), None)
pytestmark = pytest.mark.skipif(
    TOOLKIT is None,
    reason="RKNN-Toolkit2 is not installed with TensorFlow (make toolkit-rknn2 WITH=tensorflow)",
)
SHAPE = (1, 120, 90, 3)
FILES = {"tflite": "net.tflite", "tensorflow": "net.pb"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The files, written by the real TensorFlow."""
    folder = tmp_path_factory.mktemp("tensorflow")
    command = [str(TOOLKIT.python), "-W", "ignore", "-m", "tests.toolkits.tfnetworks", str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return folder


def convert(folder, file, kind, samples, layout="", **recipe):
    """As the worker does it: what the inspection tells of the file is what the job is told."""
    with JobFolder(folder.root, "inspection") as other:
        told = inspect_model(other, file)
    folder.add(source := f"source{file.suffix}", file)
    samples_file(folder.path / "calibration.safetensors", samples)
    samples_file(folder.path / "evaluation.safetensors", samples[:1])
    chosen = {"toolkit": "rknn2", "platform": "rv1126b", "dtype": "w8a8", "algorithm": "normal"}
    folder.write_job(
        {
            "kind": "convert",
            "source": source,
            "format": kind,
            "inputs": [{"name": one.name, "shape": one.shape, "dtype": one.dtype} for one in told.inputs],
            "ends": {
                "inputs": [one.name for one in told.inputs],
                "outputs": [one.name for one in told.outputs],
            },
            "calibration": "calibration.safetensors",
            "evaluation": "evaluation.safetensors",
            "sample": 0,
            "layout": {"calibration": layout, "evaluation": layout},
            "recipe": {"optimization_level": 3, "inputs": {}, **chosen, **recipe},
        }
    )
    return told.inputs[0].name, TOOLKIT.convert(folder, ignore, never)


def test_with_tensorflow_the_toolkit_takes_all_that_is_legal():
    assert TOOLKIT.offered.offer == OFFERS["rknn2"]


@pytest.mark.parametrize("kind", FILES)
def test_a_file_is_converted_as_the_toolkit_reads_it(files, folder, kind):
    _, made = convert(folder, files / FILES[kind], kind, random_samples({"": SHAPE}))
    # its float dump is of what the toolkit's front end read, and says so
    assert (made.artifact.read_bytes()[:4], made.framework_by) == (b"RKNN", "front-end")
    with DumpFile.open(made.dumps["framework"]) as ours, DumpFile.open(made.dumps["converted"]) as theirs:
        layers = compare_dumps(ours, theirs).layers
        assert (len(layers) >= 2, min(layer.scores.cosine for layer in layers) > 0.999999) == (True, True)


def test_both_formats_of_one_network_become_the_same(files, tmp_path):
    last = []
    for kind, name in FILES.items():
        with JobFolder(tmp_path, kind) as folder:
            _, made = convert(folder, files / name, kind, random_samples({"": SHAPE}))
            with DumpFile.open(made.dumps["quantized"]) as dump:
                last.append(dump.values(dump.layers[-1].key))
    assert np.array_equal(*last)


def test_mean_and_std_of_the_last_axis_are_built_into_the_artifact(files, folder):
    """The stored input is the sample as it was, turned to NCHW; the float dump begins after the normalisation."""
    picture = np.broadcast_to(np.array([10, 20, 30], np.uint8), SHAPE[1:])
    name, made = convert(
        folder, files / "net.tflite", "tflite", [{"": picture}] * 2, "NHWC",
        inputs={"image": {"mean": [0, 10, 20], "std": [5, 5, 5]}},
    )  # fmt: skip
    with TensorFile.open(made.inputs) as inputs:
        stored = inputs.array(name)
    with DumpFile.open(made.dumps["framework"]) as dump:
        begins = dump.values(dump.layers[0].key)
    assert (name, stored.shape) == ("image", (1, 3, 120, 90))
    assert ([*stored[0, :, 0, 0]], begins.min(), begins.max()) == ([10, 20, 30], 2, 2)


@pytest.mark.parametrize("name", ["quantized.tflite", "whole.tflite"])
def test_what_is_in_eight_bits_already_is_refused(files, folder, name):
    with pytest.raises(JobError) as caught:
        convert(folder, files / name, "tflite", random_samples({"": SHAPE}))
    assert caught.value.code == "model:quantized"
