"""The example network as two ONNX files, one for each way a PyTorch model may reach a toolkit.

Both hold the same weights and compute the same numbers; they differ in how the pixel shuffle is written.
`direct` is the export of the model itself: one DepthToSpace. `traced` is what a trace turned into elementary
steps gives: Reshape, a six-dimensional Transpose, Reshape. Each file names its layers as its way would, so no
name matches across the files.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper

from examples.pictures import LOW_HEIGHT, LOW_WIDTH, SCALE

Weights = dict[str, NDArray[np.float32]]
"""Parameters by PyTorch's names: "body.0.weight", "body.0.bias", "body.1.weight" (PReLU slopes) and so on."""

WEIGHTS_FILE = Path(__file__).with_name("weights.npz")
INPUT = "inputs"
"""The input in both files, so that one recipe serves both: float32, 1 x 3 x 120 x 90, 0..1, red first."""

OPSET, IR_VERSION = 12, 7
CONVOLUTIONS = (0, 2, 4, 6, 8, 10)
"""Places of the convolutions in the body; a PReLU follows each but the last."""

SHUFFLE = (0, 1, 4, 2, 5, 3)
"""How the shuffle reorders the axes [batch, colour, row in block, column in block, row, column]."""


@dataclass(frozen=True)
class Names:
    """What one route calls its layers; `nodes` and `tensors` are in the order of the body's layers."""

    upsampled: tuple[str, str]
    nodes: tuple[str, ...]
    tensors: tuple[str, ...]
    added: tuple[str, str]


DIRECT = Names(
    upsampled=("/Resize", "/Resize_output_0"),
    nodes=tuple(f"/body.{i}/{'PRelu' if i % 2 else 'Conv'}" for i in range(11)),
    tensors=tuple(f"/body.{i}/{'PRelu' if i % 2 else 'Conv'}_output_0" for i in range(11)),
    added=("/Add", "outputs"),
)

_TRACED_TENSORS = (
    "input.2",
    "55",
    "input.4",
    "68",
    "input.6",
    "81",
    "input.8",
    "94",
    "input.10",
    "107",
    "input.1",
)
TRACED = Names(
    upsampled=("upsample_nearest2d_at_base.1", "base.1"),
    nodes=tuple(f"{'prelu' if i % 2 else 'convolution'}_at_{name}" for i, name in enumerate(_TRACED_TENSORS)),
    tensors=_TRACED_TENSORS,
    added=("add_at_42", "42"),
)


def load_weights(path: Path = WEIGHTS_FILE) -> Weights:
    """Return the weights in float32 from a file of plain float16 arrays; a pickled one raises ValueError."""
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name].astype(np.float32) for name in arrays.files}


def direct(weights: Weights) -> ModelProto:
    """Return the network with its pixel shuffle as one DepthToSpace in PyTorch's order (CRD)."""
    shuffle = helper.make_node(
        "DepthToSpace",
        [DIRECT.tensors[-1]],
        ["/upsampler/DepthToSpace_output_0"],
        name="/upsampler/DepthToSpace",
        blocksize=SCALE,
        mode="CRD",
    )
    return _model("direct", DIRECT, weights, shuffle=[shuffle], shapes={})


def traced(weights: Weights) -> ModelProto:
    """Return the network with its pixel shuffle as Reshape, six-dimensional Transpose, Reshape."""
    split, order = "pixel_shuffle_to_reshape_0_at_120", "pixel_shuffle_to_permute_1_at_120"
    join = "pixel_shuffle_to_reshape_1_at_120"
    shuffle = [
        helper.make_node("Reshape", [TRACED.tensors[-1], "split_shape"], ["118"], name=split),
        helper.make_node("Transpose", ["118"], ["119"], name=order, perm=SHUFFLE),
        helper.make_node("Reshape", ["119", "joined_shape"], ["120"], name=join),
    ]
    shapes = {
        "split_shape": (1, 3, SCALE, SCALE, LOW_HEIGHT, LOW_WIDTH),
        "joined_shape": (1, 3, LOW_HEIGHT * SCALE, LOW_WIDTH * SCALE),
    }
    return _model("traced", TRACED, weights, shuffle=shuffle, shapes=shapes)


def _model(
    name: str, names: Names, weights: Weights, *, shuffle: list[NodeProto], shapes: dict[str, tuple[int, ...]]
) -> ModelProto:
    add = helper.make_node(
        "Add", [shuffle[-1].output[0], names.upsampled[1]], [names.added[1]], name=names.added[0]
    )
    graph = helper.make_graph(
        [_upsample(names), *_body(names), *shuffle, add],
        name,
        [_picture(INPUT, scale=1)],
        [_picture(names.added[1], scale=SCALE)],
        _initializers(weights, shapes),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    model.producer_name = "layerwise examples"
    checker.check_model(model, full_check=True)
    return model


def _picture(name: str, *, scale: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(
        name, TensorProto.FLOAT, (1, 3, LOW_HEIGHT * scale, LOW_WIDTH * scale)
    )


def _upsample(names: Names) -> NodeProto:
    node, tensor = names.upsampled
    return helper.make_node(
        "Resize",
        [INPUT, "roi", "scales"],
        [tensor],
        name=node,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _body(names: Names) -> list[NodeProto]:
    inputs = (INPUT, *names.tensors)
    return [
        _layer(place, node, inputs[place], names.tensors[place]) for place, node in enumerate(names.nodes)
    ]


def _layer(place: int, name: str, source: str, target: str) -> NodeProto:
    if place not in CONVOLUTIONS:
        return helper.make_node("PRelu", [source, f"body.{place}.weight"], [target], name=name)
    return helper.make_node(
        "Conv",
        [source, f"body.{place}.weight", f"body.{place}.bias"],
        [target],
        name=name,
        dilations=[1, 1],
        group=1,
        kernel_shape=[3, 3],
        pads=[1, 1, 1, 1],
        strides=[1, 1],
    )


def _initializers(weights: Weights, shapes: dict[str, tuple[int, ...]]) -> list[TensorProto]:
    arrays: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {
        "roi": np.zeros(0, np.float32),  # Unused by the asymmetric mode, but opset 12 wants it there.
        "scales": np.array([1, 1, SCALE, SCALE], np.float32),
    }
    for name, value in weights.items():
        # A PReLU slope is one number a channel; ONNX lines it up with the last axes unless told so.
        arrays[name] = value.reshape(-1, 1, 1) if value.ndim == 1 and not name.endswith("bias") else value
    arrays |= {name: np.array(shape, np.int64) for name, shape in shapes.items()}
    return [numpy_helper.from_array(value, name) for name, value in arrays.items()]
