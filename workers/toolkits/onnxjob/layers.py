"""Layers: which tensors are compared, how they are called, and what each contains of the source.

A layer ends at a tensor that exists in the source graph and still exists in the quantized one. What was
fused away belongs to the next layer: the range of a convolution before a Relu is the Relu's, so its own
tensor can be compared with nothing.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import onnx

from similarity.dumpfile import LayerInfo
from workers.toolkits.onnxjob.execute import Observed
from workers.toolkits.onnxjob.graph import flowing_tensors
from workers.toolkits.onnxjob.quantized import Quantization, Quantized

Layout = Literal["NCHW", "NHWC", ""]
FOLDED_INTO_PRODUCER = ("Relu", "Clip", "BatchNormalization")
CHANNELS_FIRST = frozenset(
    "Conv ConvTranspose MaxPool AveragePool GlobalAveragePool GlobalMaxPool BatchNormalization "  # noqa: SIM905
    "InstanceNormalization DepthToSpace SpaceToDepth LRN".split()
)
REARRANGING = frozenset(
    ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile", "Gather"),
)
LONGEST = 200  # Scores keep 300 characters of a key, and a number may still be added to it.
RESERVED = ("__metadata__",)  # What safetensors calls its own entry.
BUILD_NUMBER = re.compile(r"(_output)?([_:]\d+)+$")


def key_of(name: str) -> str:
    """`name` without what changes from build to build: trailing numbers such as in Conv_12 or
    /body.0/Conv_output_0."""
    return BUILD_NUMBER.sub("", name) or name


def printable(name: str) -> str:
    """`name` fit for a tensor file, a page and a column: all printable, at most LONGEST characters.

    A longer one ends in a hash of the whole, so that names that begin alike stay different.
    """
    shown = name
    if len(name) > LONGEST:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        shown = f"{name[: LONGEST - 13]}~{digest}"
    clean = "".join(character if character.isprintable() else "?" for character in shown)
    return f"{clean}?" if clean in RESERVED else clean


class LayerMap:
    """The layers of a source graph, in execution order, and the source tensor that each ends at."""

    def __init__(
        self, source: onnx.ModelProto, observed: Mapping[str, Observed], quantized: Quantized
    ) -> None:
        self.graph = source.graph
        self.observed = observed
        self.inputs = [value.name for value in source.graph.input]
        self.producers = {name: node for node in source.graph.node for name in node.output}
        self.flowing = set(flowing_tensors(source.graph))
        remaining = _existing(quantized.model.graph)
        # The quantizer renames what feeds a graph output; its quantization shows that it is still there.
        self.tensors = [name for name in observed if name in remaining or name in quantized.tensors]
        self.ends = set(self.tensors)
        self.keys = self._unique_keys()

    def layers(self) -> list[LayerInfo]:
        """One layer per tensor of `tensors`, as in the float graph (no scale)."""
        layouts: dict[str, Layout] = {}
        found = []
        for tensor in self.tensors:
            layouts[tensor] = self._layout(tensor, layouts)
            main = self._main_node(tensor)
            found.append(
                LayerInfo(
                    key=self.keys[tensor],
                    name=printable(main.name if main else tensor),
                    op=printable(main.op_type)[:60] if main else "Input",
                    shape=self.observed[tensor].shape,
                    layout=layouts[tensor],
                    inputs=tuple(self.keys[name] for name in self._feeding(tensor)),
                    sources=tuple(printable(node.name) for node in self._contained(tensor)),
                )
            )
        return found

    def nodes(self) -> list[set[str]]:
        """Names of the source nodes that each layer contains; none for an input of the graph."""
        return [{node.name for node in self._contained(tensor)} for tensor in self.tensors]

    def _unique_keys(self) -> dict[str, str]:
        """Keys by tensor. Layers whose keys would be equal are numbered in order: Conv, Conv#2, Conv#3."""
        taken: dict[str, int] = {}
        keys = {}
        for tensor in self.tensors:
            main = self._main_node(tensor)
            key = printable(key_of(main.name if main else tensor))
            if main and tensor in main.output and list(main.output).index(tensor) > 0:
                key += f":{list(main.output).index(tensor)}"
            while True:
                taken[key] = taken.get(key, 0) + 1
                unique = key if taken[key] == 1 else f"{key}#{taken[key]}"
                if unique == key or unique not in taken:
                    break
            taken.setdefault(unique, 1)
            keys[tensor] = unique
        return keys

    def _main_node(self, tensor: str) -> onnx.NodeProto | None:
        """The node that the layer is named after: before a fused activation or normalization, what it was
        fused into."""
        node = self.producers.get(tensor)
        while node is not None and node.op_type in FOLDED_INTO_PRODUCER:
            before = node.input[0]
            if before in self.ends or before not in self.producers or before not in self.observed:
                break
            node = self.producers[before]
        return node

    def _contained(self, tensor: str) -> list[onnx.NodeProto]:
        """Source nodes between the layers before and `tensor`, in execution order."""
        found: dict[str, onnx.NodeProto] = {}
        pending = [tensor]
        while pending:
            node = self.producers.get(pending.pop())
            if node is not None and node.name not in found:
                found[node.name] = node
                pending += [name for name in node.input if name in self.flowing and name not in self.ends]
        return (
            [node for node in self.graph.node if node.name in found]
            if len(found) > 1
            else list(found.values())
        )

    def _feeding(self, tensor: str) -> list[str]:
        """Tensors of the layers that feed the layer of `tensor`, each once."""
        names = [name for node in self._contained(tensor) for name in node.input if name in self.ends]
        return list(dict.fromkeys(name for name in names if name != tensor))

    def _layout(self, tensor: str, known: Mapping[str, Layout]) -> Layout:
        """NCHW or NHWC where the operators say so; "" where nobody can know."""
        node = self.producers.get(tensor)
        if len(self.observed[tensor].shape) != 4:
            return ""
        if node is None:
            return self._input_layout(tensor)
        if node.op_type in CHANNELS_FIRST:
            return "NCHW"
        before: list[Layout] = [known[name] for name in node.input if known.get(name)]
        if node.op_type in REARRANGING or not before:
            return ""
        return _transposed(node, before[0]) if node.op_type == "Transpose" else before[0]

    def _input_layout(self, tensor: str) -> Layout:
        users = {node.op_type for node in self.graph.node if tensor in node.input}
        shape = self.observed[tensor].shape
        if users & CHANNELS_FIRST or shape[1] in (1, 3, 4):
            return "NCHW"
        return "NHWC" if shape[3] in (1, 3, 4) else ""


def _transposed(node: onnx.NodeProto, before: Layout) -> Layout:
    order = next((list(a.ints) for a in node.attribute if a.name == "perm"), [])
    axes = [before[axis] for axis in order] if len(order) == 4 else []
    joined = "".join(axes)
    return "NCHW" if joined == "NCHW" else "NHWC" if joined == "NHWC" else ""


def _existing(graph: onnx.GraphProto) -> set[str]:
    return {value.name for value in graph.input} | {name for node in graph.node for name in node.output}


def with_quantization(
    layers: Sequence[LayerInfo], tensors: Sequence[str], quantized: Quantized
) -> list[LayerInfo]:
    """The same layers with scale, zero point and range where the quantized graph has them."""
    return [_scaled(layer, quantized.tensors.get(name)) for layer, name in zip(layers, tensors, strict=True)]


def _scaled(layer: LayerInfo, how: Quantization | None) -> LayerInfo:
    if how is None:
        return layer
    return replace(layer, scale=how.scale, zero_point=how.zero_point, qmin=0.0, qmax=255.0)


def artifact_layers(layers: Sequence[LayerInfo], tensors: Sequence[str], quantized: Quantized) -> str:
    """The JSON list of layers that an artifact carries: a dump's entries and `tensor`, where the graph holds
    the result."""
    entries = []
    for layer, name in zip(layers, tensors, strict=True):
        how = quantized.tensors.get(name)
        entry = {field: value for field, value in vars(layer).items() if field != "shape"}
        entries.append({**entry, "tensor": how.tensor if how else name})
    return json.dumps(entries, separators=(",", ":"))
