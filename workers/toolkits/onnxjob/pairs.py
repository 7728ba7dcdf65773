"""A source that is quantized already: its pairs of QuantizeLinear and DequantizeLinear say where, and with which range.

Quantized once more, each pair gives way to a new one at the same tensor, with the range that the old one let through.
"""

from collections.abc import Iterator, Mapping

import onnx

from workers.toolkits.onnxjob.graph import captured_names
from workers.toolkits.onnxjob.ranges import Range


def pairs(graph: onnx.GraphProto) -> Iterator[tuple[str, onnx.NodeProto, onnx.NodeProto]]:
    """The float tensor before each pair that stands alone, its QuantizeLinear and its DequantizeLinear.

    Not those whose numbers somebody else reads: an output, a graph inside a node, an operator on integers.
    """
    pinned = {value.name for value in graph.output} | captured_names(graph)
    makers = {node.output[0]: node for node in graph.node if node.op_type == "QuantizeLinear"}
    uses: dict[str, int] = {}
    for name in (name for node in graph.node for name in node.input):
        uses[name] = uses.get(name, 0) + 1
    for node in graph.node:
        before = makers.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if before is None or uses[node.input[0]] != 1 or before.input[1:] != node.input[1:]:
            continue
        if not pinned & {before.output[0], node.output[0]}:
            yield before.input[0], before, node


def ranges_let_through(graph: onnx.GraphProto, ranges: Mapping[str, Range]) -> dict[str, Range]:
    """The ranges with that of each tensor before a pair as it is behind the pair."""
    through = {before: ranges[node.output[0]] for before, _, node in pairs(graph) if node.output[0] in ranges}
    return {**ranges, **{name: found for name, found in through.items() if name in ranges}}


def drop_pairs(graph: onnx.GraphProto) -> int:
    """Take the pairs out, in place; how many. What read the value behind one reads the value before it."""
    found = list(pairs(graph))
    behind = {node.output[0]: before for before, _, node in found}
    dropped = {node.output[0] for _, *both in found for node in both}
    kept = [node for node in graph.node if not (node.output and node.output[0] in dropped)]
    for node in kept:
        node.input[:] = [_first(name, behind) for name in node.input]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(copies)
    return len(found)


def _first(name: str, behind: Mapping[str, str]) -> str:
    while name in behind:
        name = behind[name]
    return name


def dequantized(graph: onnx.GraphProto) -> set[str]:
    """What the graph itself makes of integers: the quantizer neither quantizes it nor what shares its steps."""
    return {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
