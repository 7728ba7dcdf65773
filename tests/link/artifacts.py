"""A small network of the forum's kind, quantized as the reference toolkit does it, for a simulated board to run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from boardagent import tensorfile

CHANNELS, SCALE, HEIGHT, WIDTH = 8, 2, 6, 5
SHAPE = (1, 3, HEIGHT, WIDTH)
LAYERS = [("conv1", "Conv", "c1"), ("prelu1", "PRelu", "p1"), ("conv2", "Conv", "c2")]
TRACED = [("split", "Reshape", "r6"), ("permute", "Transpose", "t6"), ("join", "Reshape", "y")]
DIRECT = [("shuffle", "DepthToSpace", "y")]


class Pictures(CalibrationDataReader):
    """Three seeded inputs."""

    def __init__(self) -> None:
        random = np.random.default_rng(1)
        self._left = [{"x": random.standard_normal(SHAPE).astype(np.float32)} for _ in range(3)]

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return self._left.pop() if self._left else None


def _nodes(traced: bool) -> list[onnx.NodeProto]:
    head = [
        helper.make_node("Conv", ["x", "w1"], ["c1"], "conv1", pads=[1] * 4),
        helper.make_node("PRelu", ["c1", "slope"], ["p1"], "prelu1"),
        helper.make_node("Conv", ["p1", "w2"], ["c2"], "conv2", pads=[1] * 4),
    ]
    if not traced:
        return [
            *head,
            helper.make_node("DepthToSpace", ["c2"], ["y"], "shuffle", blocksize=SCALE, mode="CRD"),
        ]
    return [
        *head,
        helper.make_node("Reshape", ["c2", "six"], ["r6"], "split"),
        helper.make_node("Transpose", ["r6"], ["t6"], "permute", perm=[0, 1, 4, 2, 5, 3]),
        helper.make_node("Reshape", ["t6", "four"], ["y"], "join"),
    ]


def _weights() -> list[onnx.TensorProto]:
    random = np.random.default_rng(0)

    def normal(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array((random.standard_normal(shape) * 0.2).astype(np.float32), name)

    def sizes(name: str, *values: int) -> onnx.TensorProto:
        return numpy_helper.from_array(np.array(values, np.int64), name)

    return [
        normal("w1", CHANNELS, 3, 3, 3),
        normal("w2", 3 * SCALE * SCALE, CHANNELS, 3, 3),
        numpy_helper.from_array(np.full((CHANNELS, 1, 1), 0.25, np.float32), "slope"),
        sizes("six", 1, 3, SCALE, SCALE, HEIGHT, WIDTH),
        sizes("four", 1, 3, HEIGHT * SCALE, WIDTH * SCALE),
    ]


def make_artifact(path: Path, *, traced: bool = True) -> Path:
    """Write the artifact: QDQ ONNX with the contract's metadata."""
    used = {name for node in _nodes(traced) for name in node.input}
    graph = helper.make_graph(
        _nodes(traced),
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, HEIGHT * SCALE, WIDTH * SCALE])],
        [weight for weight in _weights() if weight.name in used],
    )
    source = path.with_suffix(".float.onnx")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), source)
    quantize_static(
        source, path, Pictures(), quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QUInt8, per_channel=False,
    )  # fmt: skip
    model = onnx.load(path)
    rows = [_layer(model, *row) for row in LAYERS + (TRACED if traced else DIRECT)]
    about = {
        "layerwise": "artifact/1",
        "platform": "simulated",
        "toolkit": "reference",
        "layers": json.dumps(rows),
    }
    helper.set_model_props(model, about)
    onnx.save(model, path)
    return path


def _layer(model: onnx.ModelProto, key: str, op: str, tensor: str) -> dict[str, Any]:
    row = {"key": key, "name": key, "op": op, "layout": "", "inputs": [], "sources": [key], "tensor": tensor,
           "scale": None, "zero_point": None, "qmin": None, "qmax": None}  # fmt: skip
    values = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    for node in model.graph.node:
        if node.output[0] == f"{tensor}_QuantizeLinear_Output":  # onnxruntime leaves DepthToSpace in float
            scale, zero_point = float(values[node.input[1]]), int(values[node.input[2]])
            row |= {
                "scale": scale,
                "zero_point": zero_point,
                "qmin": 0,
                "qmax": 255,
                "tensor": node.output[0],
            }
    return row


def make_inputs(path: Path) -> Path:
    """Write the inputs file of one sample."""
    x = np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)
    tensorfile.write(str(path), [("x", "F32", SHAPE, x.tobytes())], {"layerwise": "inputs/1"})
    return path


def make_job(**changes: object) -> dict[str, Any]:
    """A job for the files "artifact.onnx" and "inputs.safetensors"."""
    return {
        "run": "1", "artifact": "artifact.onnx", "inputs": "inputs.safetensors", "npu": "sim",
        "warmup": 1, "iterations": 4, **changes,
    }  # fmt: skip
