"""Layers that the reference toolkit keeps in float: what is quantized around them, and what is refused."""

import numpy as np
import onnx
import pytest

from similarity.dumpfile import DumpFile
from tests.toolkits.networks import conv_relu_net, convert, random_samples
from tests.toolkits.test_reference import PICTURE, refused
from workers.jobfolder import JobFolder


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory):
    """The small network with its first fused layer in float."""
    with JobFolder(tmp_path_factory.mktemp("kept"), "kept") as folder:
        yield convert(folder, conv_relu_net(), random_samples(PICTURE), hybrid={"Conv_1": "float"})


def test_every_operator_of_the_layer_and_what_feeds_only_it_stay_in_float(hybrid):
    with DumpFile.open(hybrid.dumps["quantized"]) as dump:
        assert {layer.name: layer.scale is None for layer in dump.layers} == {
            "x": True,
            "Conv_1": True,
            "Relu_2": True,
            "Conv_3": False,
            "Add_5": False,
        }


def test_its_weights_stay_as_they_were(hybrid):
    constants = {tensor.name: tensor.data_type for tensor in onnx.load(hybrid.artifact).graph.initializer}
    assert constants["w1"] == onnx.TensorProto.FLOAT and "w1_quantized" not in constants


def test_its_result_is_the_float_convolution_of_what_it_gets(hybrid):
    """Recomputed with numpy: the float convolution of the dumped input, clipped at 0."""
    weights = {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load(hybrid.artifact).graph.initializer
    }
    with DumpFile.open(hybrid.dumps["quantized"]) as dump:
        x, result = dump.values("x")[0], dump.values("Relu")[0]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    expected = np.einsum("chwij,ocij->ohw", windows, weights["w1"]) + weights["b1"][:, None, None]
    np.testing.assert_allclose(result, np.maximum(expected, 0), rtol=1e-4, atol=1e-5)


def test_both_dumps_hold_the_same_layers(hybrid):
    with (
        DumpFile.open(hybrid.dumps["framework"]) as floats,
        DumpFile.open(hybrid.dumps["quantized"]) as steps,
    ):
        assert [layer.key for layer in floats.layers] == [layer.key for layer in steps.layers]


def test_all_layers_may_stay_in_float(folder):
    every = dict.fromkeys(("Conv_1", "Conv_3", "Add_5"), "float")
    converted = convert(folder, conv_relu_net(), random_samples(PICTURE), hybrid=every)
    with DumpFile.open(converted.dumps["quantized"]) as dump:
        assert {layer.scale for layer in dump.layers} == {None}


def test_layers_that_are_not_there_are_named(folder):
    error = refused(
        folder, conv_relu_net(), random_samples(PICTURE), hybrid={"Conv_1": "float", "Conv_9": "float"}
    )
    assert (error.code, error.detail) == ("recipe:unknown-layer", "'Conv_9'")


def test_an_input_is_no_layer_to_keep(folder):
    error = refused(folder, conv_relu_net(), random_samples(PICTURE), hybrid={"x": "float"})
    assert error.code == "recipe:unknown-layer"
