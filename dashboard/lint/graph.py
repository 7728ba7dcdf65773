"""The graph that lint looks at: frozen nodes and tensors, read from what the inspection wrote down.

The form of the map is told in workers/toolkits/onnxjob/description.py.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

Size = int | str | None
STANDARD = ("", "ai.onnx")
ALONE = ("Shape", "Size")  # constant when the sizes of their input are


@dataclass(frozen=True)
class Tensor:
    """A tensor; `shape` is None when even the rank is unknown, `values` when they are unknown or many."""

    name: str
    dtype: str
    shape: tuple[Size, ...] | None
    is_constant: bool
    values: tuple[float | None, ...] | None

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    @property
    def is_fixed(self) -> bool:
        return self.shape is not None and all(isinstance(size, int) for size in self.shape)


@dataclass(frozen=True)
class Node:
    """A layer of the source. `inputs` holds None for an input that is left out; `is_folded` when everything that it
    computes is known before the network runs."""

    name: str
    op: str
    domain: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    attributes: Mapping[str, Any]
    is_folded: bool = False

    @property
    def is_standard(self) -> bool:
        return self.domain in STANDARD

    @property
    def full_op(self) -> str:
        return self.op if self.is_standard else f"{self.domain}:{self.op}"

    @property
    def rank(self) -> int:
        """The most dimensions of what goes in or comes out; 0 when nothing is known."""
        return max((tensor.rank or 0 for tensor in (*self.inputs, *self.outputs) if tensor), default=0)

    def input(self, number: int) -> Tensor | None:
        """The input of this number, None when it is left out."""
        return self.inputs[number] if number < len(self.inputs) else None

    def input_shape(self, number: int = 0) -> tuple[Size, ...] | None:
        tensor = self.input(number)
        return tensor.shape if tensor else None

    def numbers(self, attribute: str) -> tuple[float, ...]:
        """The numbers of a list attribute, () when it is not there."""
        value = self.attributes.get(attribute)
        return tuple(n for n in value if isinstance(n, int | float)) if isinstance(value, list) else ()


@dataclass(frozen=True)
class Graph:
    """A source's graph; `left_out` counts the nodes beyond the limit of the inspection."""

    format: str
    opset: int
    ir_version: int
    nodes: tuple[Node, ...]
    inputs: tuple[Tensor, ...]
    left_out: int = 0

    @cached_property
    def makers(self) -> Mapping[str, Node]:
        """Which node makes a tensor, by the tensor's name."""
        return {tensor.name: node for node in self.nodes for tensor in node.outputs}

    @cached_property
    def users(self) -> Mapping[str, tuple[Node, ...]]:
        """Which nodes take a tensor, by the tensor's name."""
        found: dict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for tensor in node.inputs:
                if tensor:
                    found[tensor.name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    def before(self, node: Node, number: int = 0) -> Node | None:
        """The node that makes this input."""
        tensor = node.input(number)
        return self.makers.get(tensor.name) if tensor else None

    def after(self, node: Node) -> tuple[Node, ...]:
        """The nodes that take the first output."""
        return self.users.get(node.outputs[0].name, ()) if node.outputs else ()


def graph_of(told: Mapping[str, Any]) -> Graph:
    """The graph that an inspection wrote down. Raises ValueError for anything that is no such map."""
    try:
        tensors = [_tensor(row) for row in told["tensors"]]
        nodes = _folded([_node(row, tensors) for row in told["nodes"]])
        return Graph(
            format=str(told["format"]),
            opset=int(told["opset"]),
            ir_version=int(told["ir_version"]),
            nodes=tuple(nodes),
            inputs=tuple(tensors[place] for place in told["inputs"]),
            left_out=int(told["left_out"]),
        )
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"This is no description of a graph: {error!r}") from error


def _tensor(row: Any) -> Tensor:
    name, dtype, shape, is_constant, values = row
    return Tensor(
        str(name),
        str(dtype),
        None if shape is None else tuple(shape),
        bool(is_constant),
        None if values is None else tuple(values),
    )


def _node(row: Any, tensors: list[Tensor]) -> Node:
    name, op, domain, inputs, outputs, attributes = row
    return Node(
        name=str(name),
        op=str(op),
        domain=str(domain),
        inputs=tuple(None if place < 0 else tensors[place] for place in inputs),
        outputs=tuple(tensors[place] for place in outputs if place >= 0),
        attributes=dict(attributes),
    )


def _folded(nodes: list[Node]) -> list[Node]:
    """The nodes, those marked that depend on constants only, and what these make as constants; nodes come in an order
    that can be executed."""
    known: set[str] = set()
    marked = []
    for node in nodes:
        inputs = tuple(_as_constant(tensor, known) for tensor in node.inputs)
        ends = [tensor for tensor in inputs if tensor]
        sizes_only = node.op in ALONE and bool(ends) and ends[0].is_fixed
        is_folded = sizes_only or (bool(ends) and all(tensor.is_constant for tensor in ends))
        if is_folded:
            known |= {tensor.name for tensor in node.outputs}
        marked.append(replace(node, inputs=inputs, is_folded=is_folded))
    return marked


def _as_constant(tensor: Tensor | None, known: set[str]) -> Tensor | None:
    return replace(tensor, is_constant=True) if tensor and tensor.name in known else tensor
