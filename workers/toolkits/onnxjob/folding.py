"""Batch normalization folded into the convolution before it, as every NPU compiler does."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from workers.toolkits.onnxjob.graph import captured_names


def fold_batch_norms(model: onnx.ModelProto) -> int:
    """Fold in place every BatchNormalization whose input comes from a Conv used by nobody else; how many
    were folded.

    w' = w * s, b' = (b - mean) * s + beta, with s = gamma / sqrt(variance + epsilon) per output channel.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    uses: dict[str, int] = {}
    for name in [name for node in graph.node for name in node.input]:
        uses[name] = uses.get(name, 0) + 1
    pinned = {value.name for value in graph.output} | captured_names(graph)
    folded = []
    for node in graph.node:
        conv = producers.get(node.input[0]) if node.op_type == "BatchNormalization" else None
        if conv is None or conv.op_type != "Conv" or uses[conv.output[0]] != 1 or conv.output[0] in pinned:
            continue
        if len([name for name in node.output if name]) == 1 and _fold(graph, constants, conv, node):
            folded.append(node)
    for node in folded:
        graph.node.remove(node)
    return len(folded)


def _fold(
    graph: onnx.GraphProto, constants: dict[str, onnx.TensorProto], conv: onnx.NodeProto, norm: onnx.NodeProto
) -> bool:
    needed = [conv.input[1], *norm.input[1:5], *[name for name in conv.input[2:3] if name]]
    if not all(name in constants and constants[name].data_type == onnx.TensorProto.FLOAT for name in needed):
        return False
    weight, gamma, beta, mean, variance, *bias = (_values(constants[name]) for name in needed)
    epsilon = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
    scale = gamma / np.sqrt(variance + epsilon)
    new_weight = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    new_bias = ((bias[0] if bias else 0) - mean) * scale + beta
    names = [f"{norm.output[0]}/folded-weight", f"{norm.output[0]}/folded-bias"]
    for name, value in zip(names, (new_weight, new_bias), strict=True):
        graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
    inputs = [conv.input[0], *names]
    del conv.input[:]
    conv.input.extend(inputs)
    conv.output[0] = norm.output[0]
    return True


def _values(tensor: onnx.TensorProto) -> NDArray[Any]:
    return numpy_helper.to_array(tensor).astype(np.float64)
