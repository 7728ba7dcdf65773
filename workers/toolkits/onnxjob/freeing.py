"""Names kept free for the quantizer, which calls what it adds after what it adds it to, whether or not the graph has
that name already. Of a network that was quantized before, or whose names are numbered, two tensors would become one."""

import re

import onnx

from workers.toolkits.onnxjob.graph import captured_names

ENDINGS = (
    "_scale",
    "_zero_point",
    "_quantized",
    "_QuantizeLinear_Input",
    "_QuantizeLinear_Output",
    "_DequantizeLinear_Output",
)
NUMBER = re.compile(r"\d+$")


def free_names(graph: onnx.GraphProto) -> int:
    """Rename, in place, inner tensors whose names the quantizer would give away or give again; how many.

    Inputs, outputs and what graphs inside nodes use keep their names: people and those graphs know them by these.
    """
    weights = {tensor.name for tensor in graph.initializer}
    names = {name for node in graph.node for name in (*node.input, *node.output) if name}
    names |= {value.name for value in graph.input} | weights
    kept = {value.name for value in (*graph.input, *graph.output)} | captured_names(graph)
    taken = {name for name in names if _is_added(name, names)} | {
        base for name in names for base in _numbered(name) if base in weights
    }
    renamed = {name: _unused(name, names) for name in taken - kept}
    for node in graph.node:
        for fields in (node.input, node.output):
            fields[:] = [renamed.get(name, name) for name in fields]
    for tensor in graph.initializer:
        tensor.name = renamed.get(tensor.name, tensor.name)
    return len(renamed)


def _is_added(name: str, names: set[str]) -> bool:
    """Whether the quantizer would call something so. What it adds to a weight's own parts has two endings."""
    bases = [name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)]
    return any(base in names or _is_added(base, names) for base in bases)


def _numbered(name: str) -> list[str]:
    """What a copy of which would be called `name`: a bias of several layers is copied, with a number at its end."""
    found = NUMBER.search(name)
    return [name[:end] for end in range(found.start(), len(name))] if found else []


def _unused(name: str, names: set[str]) -> str:
    new = name
    while new in names:
        new += "'"
    return new


def number_twins(graph: onnx.GraphProto, source: onnx.GraphProto) -> None:
    """Give nodes that the quantizer added another name than nodes of the source have."""
    made = {name: node.name for node in source.node for name in node.output if name}
    seen = {node.name for node in source.node}
    for node in graph.node:
        if any(made.get(name) == node.name for name in node.output):
            continue
        while node.name in seen:
            node.name += "'"
        seen.add(node.name)
