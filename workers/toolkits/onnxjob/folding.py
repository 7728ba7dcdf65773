"""What every NPU compiler folds: batch normalization into the convolution before it, and what is computed from
constants alone into constants."""

import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from workers.toolkits.onnxjob.execute import execute, session
from workers.toolkits.onnxjob.graph import RANDOM, captured_names
from workers.toolkits.onnxjob.modelfile import subgraphs

FOLD_BYTES = 256 << 20  # A file of 2 KB may ask for any size of constant; what is beyond stays computed.


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


def fold_constants(model: onnx.ModelProto) -> int:
    """Turn, in place, float tensors that are computed from constants alone into initializers; how many.

    Only initializers are weights to a quantizer: a transposed or generated one must become one first.
    """
    graph = model.graph
    computed = _constant_nodes(graph)
    made = {name for node in computed for name in node.output if name}
    kept = [node for node in graph.node if node not in computed]
    pinned = {value.name for value in graph.output} | captured_names(graph)
    wanted = dict.fromkeys(name for node in kept for name in node.input if name in made - pinned)
    values = _evaluate(model, computed, list(wanted)) if wanted else {}
    for name, value in values.items():
        graph.initializer.append(numpy_helper.from_array(value, f"{name}/folded"))
    for node in kept:
        for index, name in enumerate(node.input):
            if name in values:
                node.input[index] = f"{name}/folded"
    _drop_unused(graph, computed, pinned)
    return len(values)


def _constant_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Nodes that depend on initializers alone, in execution order."""
    known = {tensor.name for tensor in graph.initializer} | {""}
    found = []
    for node in graph.node:
        if node.op_type not in RANDOM and not any(subgraphs(node)) and known.issuperset(node.input):
            found.append(node)
            known.update(node.output)
    return found


def _evaluate(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], names: list[str]
) -> dict[str, NDArray[np.float32]]:
    """Values of the float tensors among `names`, the first ones that fit into FOLD_BYTES together."""
    part = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    part.functions.extend(model.functions)
    part.graph.CopyFrom(onnx.GraphProto(name="constants", node=nodes, initializer=model.graph.initializer))
    chosen, room = [], FOLD_BYTES
    for value in session(part, names).get_outputs():
        is_known = value.type == "tensor(float)" and all(isinstance(size, int) for size in value.shape)
        size = 4 * math.prod(value.shape) if is_known else room + 1
        if size <= room:
            chosen.append(value.name)
            room -= size
    found = execute(session(part, chosen), chosen, {}) if chosen else []
    return dict(zip(chosen, found, strict=True))


def _drop_unused(graph: onnx.GraphProto, nodes: list[onnx.NodeProto], pinned: set[str]) -> None:
    """Remove those of `nodes` that feed nothing any more, the last ones first."""
    for node in reversed(nodes):
        used = {name for other in graph.node for name in other.input} | pinned
        if not used.intersection(node.output):
            graph.node.remove(node)
