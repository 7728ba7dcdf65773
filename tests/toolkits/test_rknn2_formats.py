"""The real RKNN-Toolkit2 on sources that are no ONNX file, without any framework beside it."""

import pytest

from similarity.compare import compare_dumps
from similarity.dumpfile import DumpFile
from tests.toolkits import modelfiles as files
from tests.toolkits.networks import ignore, never, random_samples, samples_file
from workers.jobfolder import JobFolder
from workers.toolkits import rknn2

TOOLKIT = next(iter(rknn2.here()), None)
pytestmark = pytest.mark.skipif(TOOLKIT is None, reason="RKNN-Toolkit2 is not installed (make toolkit-rknn2)")
SHAPE = (1, 3, 16, 16)
CAFFE = {"source.prototxt": files.PROTOTXT, "source.caffemodel": files.caffemodel()}
DARKNET = {"source.cfg": files.CFG, "source.weights": files.WEIGHTS}


def convert(folder, kind, parts, **changes):
    for name, content in parts.items():
        (folder.path / name).write_bytes(content)
    model, weights = parts
    samples = random_samples({"data": SHAPE})
    samples_file(folder.path / "calibration.safetensors", samples)
    samples_file(folder.path / "evaluation.safetensors", samples[:1])
    job = {
        "kind": "convert",
        "source": model,
        "weights": weights,
        "format": kind,
        "inputs": [{"name": "data", "shape": SHAPE, "dtype": "float32"}],
        "calibration": "calibration.safetensors",
        "evaluation": "evaluation.safetensors",
        "sample": 0,
        "layout": {"calibration": "NCHW", "evaluation": "NCHW"},
        "recipe": {
            "toolkit": "rknn2",
            "platform": "rv1126b",
            "dtype": "w8a8",
            "algorithm": "normal",
            "optimization_level": 3,
            "inputs": {},
        },
    }
    folder.write_job(job | changes)
    return TOOLKIT.convert(folder, ignore, never)


@pytest.mark.parametrize(("kind", "parts"), [("caffe", CAFFE), ("darknet", DARKNET)])
def test_a_format_of_two_files_is_converted(tmp_path, kind, parts):
    with JobFolder(tmp_path, "conversion-1") as folder:
        made = convert(folder, kind, parts)
        # nothing here runs Caffe or Darknet: the float dump is of what the toolkit read, and says so
        assert (made.artifact.read_bytes()[:4], made.framework_by) == (b"RKNN", "front-end")
        with DumpFile.open(made.dumps["framework"]) as ours, DumpFile.open(made.dumps["converted"]) as theirs:
            layers = compare_dumps(ours, theirs).layers
            assert (len(layers) >= 3, min(layer.scores.cosine for layer in layers) > 0.999999) == (True, True)
