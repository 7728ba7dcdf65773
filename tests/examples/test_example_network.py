"""The two routes: written differently, equal in every number, and better than nearest upsampling."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, helper

from examples import network, pictures

Array = NDArray[np.float32]
Run = Callable[[ModelProto, Array], Array]
HELD_OUT = sorted(pictures.HELD_OUT)


@pytest.fixture(scope="session")
def direct() -> ModelProto:
    return network.direct(network.load_weights())


@pytest.fixture(scope="session")
def traced() -> ModelProto:
    return network.traced(network.load_weights())


@pytest.fixture(scope="session")
def held_out() -> dict[str, pictures.Pair]:
    return pictures.held_out_pairs()


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a model on a 1 x 3 x 120 x 90 array and return its output."""

    def run_in_float(model: ModelProto, values: Array) -> Array:
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        (result,) = session.run(None, {network.INPUT: values})
        return np.asarray(result)

    return run_in_float


def as_input(picture: pictures.Picture) -> Array:
    """A picture (height x width x 3, 0..255) as the network takes it: mean 0, std 255."""
    return np.ascontiguousarray(picture.astype(np.float32).transpose(2, 0, 1)[None] / 255)


def psnr(image: Array, truth: Array) -> float:
    """Peak signal-to-noise ratio in dB of pictures whose peak is 1."""
    return float(-10 * np.log10(np.mean((image.astype(np.float64) - truth) ** 2)))


def node_names(model: ModelProto) -> set[str]:
    return {node.name for node in model.graph.node}


@pytest.mark.parametrize("name", HELD_OUT)
def test_both_routes_give_the_same_bits(
    direct: ModelProto, traced: ModelProto, held_out: dict[str, pictures.Pair], run: Run, name: str
) -> None:
    values = as_input(held_out[name].low)
    assert run(direct, values).tobytes() == run(traced, values).tobytes()


@pytest.mark.parametrize("name", HELD_OUT)
def test_the_output_beats_nearest_upsampling_by_a_decibel(
    direct: ModelProto, held_out: dict[str, pictures.Pair], run: Run, name: str
) -> None:
    low, high = as_input(held_out[name].low), as_input(held_out[name].high)
    nearest = low.repeat(pictures.SCALE, axis=2).repeat(pictures.SCALE, axis=3)
    assert psnr(run(direct, low), high) > psnr(nearest, high) + 1


def test_the_traced_route_has_a_transpose_of_six_dimensions(traced: ModelProto) -> None:
    orders = [
        helper.get_node_attr_value(node, "perm") for node in traced.graph.node if node.op_type == "Transpose"
    ]
    assert orders == [[0, 1, 4, 2, 5, 3]]


def test_the_direct_route_shuffles_in_one_layer_in_pytorchs_order(direct: ModelProto) -> None:
    (shuffle,) = (node for node in direct.graph.node if node.op_type == "DepthToSpace")
    assert helper.get_node_attr_value(shuffle, "mode") == b"CRD"


def test_no_layer_has_the_same_name_in_both_routes(direct: ModelProto, traced: ModelProto) -> None:
    assert not node_names(direct) & node_names(traced)


def test_both_routes_take_their_input_under_one_name(direct: ModelProto, traced: ModelProto) -> None:
    assert [model.graph.input[0].name for model in (direct, traced)] == [network.INPUT] * 2


def test_the_body_is_the_forums(direct: ModelProto) -> None:
    shapes = {value.name: tuple(value.dims) for value in direct.graph.initializer}
    assert [shapes[f"body.{place}.weight"][:2] for place in network.CONVOLUTIONS] == [
        (64, 3),
        (64, 64),
        (64, 64),
        (64, 64),
        (64, 64),
        (48, 64),
    ]


def test_the_weights_file_holds_plain_arrays_under_a_megabyte() -> None:
    with np.load(network.WEIGHTS_FILE, allow_pickle=False) as arrays:
        kinds = {arrays[name].dtype for name in arrays.files}
    assert kinds == {np.dtype(np.float16)}
    assert network.WEIGHTS_FILE.stat().st_size < 1_000_000


def test_weights_with_an_object_inside_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, weight=np.array([{"not": "numbers"}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        network.load_weights(path)


def test_the_weights_are_finite() -> None:
    assert all(np.isfinite(value).all() for value in network.load_weights().values())
