"""The graph of an ONNX model as a bounded JSON map: what lint looks at, without weights.

`{"format": "onnx", "opset", "ir_version", "domains", "inputs", "outputs", "tensors", "nodes", "left_out"}`. A tensor is
`[name, type, shape | null, is it constant, values | null]`, a node `[name, operator, domain, inputs, outputs,
attributes]`; inputs and outputs are places in `tensors`, -1 for one that is left out. Only the main graph is told.
"""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx
from onnx import numpy_helper

from workers.toolkits.onnxjob.modelfile import declared_shape, runtime_inputs

FILE = "graph.json"
MOST_NODES = 5000
MOST_ENDS = 64  # inputs or outputs of one node that are told
MOST_VALUES = 16  # of a constant or an attribute
MOST_ATTRIBUTES = 12
NAME = 200
PLAIN = (onnx.AttributeProto.INT, onnx.AttributeProto.FLOAT, onnx.AttributeProto.STRING)
LISTS = (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS)


def write_graph(folder: Path, model: onnx.ModelProto) -> None:
    """Describe the model, whose shapes have been inferred, in graph.json of the folder."""
    (folder / FILE).write_text(json.dumps(described_graph(model), separators=(",", ":")), encoding="utf-8")


def described_graph(model: onnx.ModelProto) -> dict[str, Any]:
    """The map; never more than MOST_NODES nodes and the tensors that they touch."""
    graph = model.graph
    tensors = _Tensors(graph)
    nodes = [node for node in graph.node if node.op_type != "Constant"]
    told = [_node(node, tensors) for node in nodes[:MOST_NODES]]
    return {
        "format": "onnx",
        "opset": next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1),
        "ir_version": model.ir_version,
        "domains": sorted({entry.domain[:NAME] for entry in model.opset_import})[:MOST_VALUES],
        "inputs": tensors.places(value.name for value in runtime_inputs(graph)),
        "outputs": tensors.places(value.name for value in graph.output),
        "nodes": told,
        "left_out": len(nodes) - len(told),
        "tensors": tensors.rows,
    }


class _Tensors:
    """The tensors that were named so far, each with its place."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.rows: list[list[Any]] = []
        self._at: dict[str, int] = {"": -1}
        self._values = {value.name: value for value in (*graph.input, *graph.value_info, *graph.output)}
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.output:
                for attribute in node.attribute:
                    if attribute.name == "value":
                        self._constants[node.output[0]] = attribute.t
                    elif attribute.name in ("value_int", "value_float", "value_ints", "value_floats"):
                        self._constants[node.output[0]] = _constant_of(attribute)

    def places(self, names: Iterable[str]) -> list[int]:
        return [self._place(name) for name in list(names)[:MOST_ENDS]]

    def _place(self, name: str) -> int:
        if name not in self._at:
            self._at[name] = len(self.rows)
            self.rows.append(self._row(name))
        return self._at[name]

    def _row(self, name: str) -> list[Any]:
        constant = self._constants.get(name)
        if constant is not None:
            shape = list(constant.dims)[:MOST_VALUES]
            return [_cut(name), _type(constant.data_type), shape, 1, _values(constant)]
        value = self._values.get(name)
        if value is None:
            return [_cut(name), "", None, 0, None]
        sizes = declared_shape(value)
        shown = None if sizes is None else [_size(size) for size in sizes[:MOST_VALUES]]
        return [_cut(name), _type(value.type.tensor_type.elem_type), shown, 0, None]


def _node(node: onnx.NodeProto, tensors: _Tensors) -> list[Any]:
    name = node.name or next(iter(node.output), "")
    attributes = dict(_attributes(node.attribute))
    ends = tensors.places(node.input), tensors.places(node.output)
    return [_cut(name), _cut(node.op_type), _cut(node.domain), *ends, attributes]


def _attributes(attributes: Iterable[onnx.AttributeProto]) -> list[tuple[str, Any]]:
    """Numbers, words and short lists of numbers; graphs and tensors are not told."""
    found: list[tuple[str, Any]] = []
    for attribute in attributes:
        if attribute.type in PLAIN + LISTS:
            found.append((_cut(attribute.name), _plain(onnx.helper.get_attribute_value(attribute))))
    return [(name, value) for name, value in found if value is not None][:MOST_ATTRIBUTES]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return _cut(value.decode(errors="replace"))
    return (
        _finite(value) if isinstance(value, int | float) else [_finite(n) for n in list(value)[:MOST_VALUES]]
    )


def _constant_of(attribute: onnx.AttributeProto) -> onnx.TensorProto:
    value = onnx.helper.get_attribute_value(attribute)
    numbers = list(value) if attribute.type in LISTS else [value]
    whole = attribute.name.startswith("value_int")
    kind = onnx.TensorProto.INT64 if whole else onnx.TensorProto.FLOAT
    return onnx.helper.make_tensor("", kind, [len(numbers)] if attribute.type in LISTS else [], numbers)


def _values(tensor: onnx.TensorProto) -> list[float | int | None] | None:
    """The numbers of a short constant, None for a long one and for words."""
    if math.prod(tensor.dims) > MOST_VALUES or tensor.data_type == onnx.TensorProto.STRING:
        return None
    try:
        numbers = numpy_helper.to_array(tensor).reshape(-1).tolist()
    except (TypeError, ValueError):
        return None
    return [_finite(number) for number in numbers if isinstance(number, int | float)]


def _finite(number: float) -> float | int | None:
    """What JSON and every database can store."""
    return number if math.isfinite(number) and abs(number) < 1 << 63 else None


def _size(size: int | str | None) -> int | str | None:
    return _cut(size) if isinstance(size, str) else size


def _type(kind: int) -> str:
    try:
        return onnx.helper.tensor_dtype_to_np_dtype(kind).name
    except KeyError:
        return ""


def _cut(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:NAME])
