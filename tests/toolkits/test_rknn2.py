"""The real RKNN-Toolkit2 through its own interpreter: rungs, scales, facts, failures. `make toolkit-rknn2` first."""

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from similarity.compare import compare_dumps
from similarity.dumpfile import DumpFile
from similarity.metrics import core_scores
from tests.toolkits.networks import (
    constant,
    conv_relu_net,
    ignore,
    network,
    never,
    one_op,
    random_samples,
    write_job,
)
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits import rknn2

TOOLKIT = next(iter(rknn2.here()), None)
pytestmark = pytest.mark.skipif(TOOLKIT is None, reason="RKNN-Toolkit2 is not installed (make toolkit-rknn2)")
PICTURE = {"x": (1, 3, 16, 16)}
W8A8 = {
    "toolkit": "rknn2",
    "platform": "rv1126b",
    "dtype": "w8a8",
    "algorithm": "normal",
    "optimization_level": 3,
    "inputs": {},
}


def picture_net():
    """Convolution and PixelShuffle by a six-dimensional Transpose, as torch.jit.trace leaves it."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "Conv_0", pads=[1, 1, 1, 1]),
        helper.make_node("Reshape", ["c", "six"], ["r"], "Reshape_1"),
        helper.make_node("Transpose", ["r"], ["t"], "Transpose_2", perm=[0, 1, 4, 2, 5, 3]),
        helper.make_node("Reshape", ["t", "four"], ["y"], "Reshape_3"),
    ]
    shapes = [
        helper.make_tensor("six", 7, [6], [1, 3, 2, 2, 16, 16]),
        helper.make_tensor("four", 7, [4], [1, 3, 32, 32]),
    ]
    return network(
        nodes, inputs=PICTURE, outputs=["y"], initializers=[constant("w", (12, 3, 3, 3), 1), *shapes]
    )


def convert(folder, model, samples, **recipe):
    write_job(folder, model, samples, **W8A8 | recipe)
    return TOOLKIT.convert(folder, ignore, never)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One conversion that several tests look at."""
    with JobFolder(tmp_path_factory.mktemp("kept"), "kept") as folder:
        yield convert(folder, picture_net(), random_samples(PICTURE))


def failure_of(folder, model, samples, **recipe) -> JobError:
    with pytest.raises(JobError) as caught:
        convert(folder, model, samples, **recipe)
    return caught.value


def test_the_artifact_is_an_rknn_file(made):
    assert made.artifact.read_bytes()[:4] == b"RKNN"


def test_the_toolkits_float_graph_agrees_with_the_source(made):
    with DumpFile.open(made.dumps["framework"]) as ours, DumpFile.open(made.dumps["converted"]) as theirs:
        compared = compare_dumps(ours, theirs)
        assert min(layer.scores.cosine for layer in compared.layers) > 0.999999


def test_scores_of_its_tensors_are_what_it_printed(made):
    """To the last digit: cos and euc of every row, computed from the dumps that we stored."""
    facts = json.loads(made.build_facts.read_text())
    with DumpFile.open(made.dumps["converted"]) as floats, DumpFile.open(made.dumps["quantized"]) as steps:
        keys = {layer.name: layer.key for layer in floats.layers}
        scores = {
            row["name"]: core_scores(floats.tensor(keys[row["name"]]), steps.tensor(keys[row["name"]]))
            for row in facts["accuracy"]
            if row["entire"]
        }
    printed = {
        row["name"]: (row["entire"]["cos"], row["entire"]["euc"])
        for row in facts["accuracy"]
        if row["entire"]
    }
    ours = {name: (round(found.cosine, 5), round(found.euclidean, 5)) for name, found in scores.items()}
    assert ours == printed


def test_quantized_layers_know_their_scale(made):
    with DumpFile.open(made.dumps["quantized"]) as dump:
        conv = next(layer for layer in dump.layers if layer.name == "c")
        table = json.loads(made.calibration_table.read_text())
        assert (conv.scale, conv.zero_point) == (table["c"]["scale"], table["c"]["zero_point"])


def test_layers_keep_the_sources_keys(made):
    with DumpFile.open(made.dumps["framework"]) as ours, DumpFile.open(made.dumps["quantized"]) as theirs:
        assert {layer.key for layer in ours.layers} & {layer.key for layer in theirs.layers} == {
            "x",
            "Conv",
            "Reshape#2",
        }


def test_the_rewrite_of_the_six_dimensional_transpose_is_told(made):
    rewrites = json.loads(made.build_facts.read_text())["rewrites"]
    assert any(rewrite["rule"] == "replace_transpose_by_deconv" for rewrite in rewrites)


def test_the_compilers_table_names_the_unit_of_each_layer(made):
    layers = json.loads(made.build_facts.read_text())["layers"]
    assert {"NPU", "CPU"} == {layer["target"] for layer in layers}


def test_mean_and_std_are_built_into_the_artifact(folder):
    """The stored inputs are the samples as they were, the float dump begins after the normalisation."""
    samples = [{"x": np.full((1, 3, 16, 16), 100, np.float32)}] * 2
    made = convert(folder, picture_net(), samples, inputs={"x": {"mean": [50.0], "std": [25.0]}})
    with DumpFile.open(made.dumps["framework"]) as dump:
        begins = float(dump.values("x").max())
    stored = np.frombuffer(made.inputs.read_bytes()[-4:], np.float32)[0]
    assert (begins, stored) == (2.0, 100.0)


def test_a_float_build_has_no_scales(folder):
    made = convert(folder, conv_relu_net(), random_samples({"x": (1, 3, 8, 8)}), dtype="float")
    with DumpFile.open(made.dumps["quantized"]) as dump:
        assert [layer.scale for layer in dump.layers] == [None] * len(dump.layers)


def test_an_input_left_open_takes_the_recipes_shape(folder):
    model = one_op("Relu", ("n", 3, "h", "w"))
    samples = random_samples({"x": (1, 3, 16, 16)})
    made = convert(folder, model, samples, inputs={"x": {"shape": [1, 3, 16, 16]}})
    with DumpFile.open(made.dumps["quantized"]) as dump:
        assert dump.layers[0].shape == (1, 3, 16, 16)


def test_an_operator_it_cannot_convert_is_named(folder):
    error = failure_of(folder, one_op("Unique", (16,), sorted=1), random_samples({"x": (16,)}))
    assert error.code in {"model:unsupported-operator", "toolkit:failed"} and "nique" in error.detail


def test_an_abort_of_its_compiler_is_a_crash(folder):
    """rk2118 with a convolution of three channels ends the process by SIGABRT."""
    error = failure_of(folder, picture_net(), random_samples(PICTURE), platform="rk2118")
    assert error.code == "toolkit:crashed"


def test_the_last_words_of_an_abort_are_kept(folder):
    error = failure_of(folder, picture_net(), random_samples(PICTURE), platform="rk2118")
    assert "unsupported conv" in error.detail


def test_the_snapshot_of_megabytes_is_gone_afterwards(folder):
    convert(folder, picture_net(), random_samples(PICTURE))
    assert not list(Path(folder.path).glob("snapshot/*"))
