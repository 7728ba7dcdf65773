"""Rules for RKNN-Toolkit 1.7: whether its table has the operator, by which route, and where 8 bits may be too few."""

from collections.abc import Iterator

from dashboard.lint.facts import rknn1
from dashboard.lint.facts.references import OPS_171, reasoned, sheet
from dashboard.lint.findings import Finding, Severity, Target
from dashboard.lint.graph import Graph, Node
from dashboard.lint.rules.making import about
from dashboard.lint.rules.patterns import is_gelu, is_mish, is_of_layer_norm

PT_ROUTE = "Upload the traced network (.pt by torch.jit.trace) as another route: the toolkit's PyTorch loader takes it."
OTHER_WORDS = "Write the layer with operators that the table has, or compute it outside of the network."
UNLISTED = "no row of the table is about this operator"


def support(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Operators that the table refuses, or takes by the other route only, or does not know."""
    if not node.is_standard or node.op in rknn1.HARMLESS or node.op == "DepthToSpace":
        return  # DepthToSpace: rules/rearranging.py
    name = row_of(node, graph)
    row = rknn1.row(name) if name else None
    if row is None:
        yield from _unlisted(node, name)
    elif not row.onnx:
        yield _refused(node, row)


def _refused(node: Node, row: rknn1.Row) -> Finding:
    """An error; a warning when an older list of the vendor takes the operator, whatever its dimensions."""
    disagree = node.op in rknn1.LISTED_BY_171 and node.op not in (*rknn1.BY_RANK, *SPECIAL)
    severity = Severity.WARNING if disagree else Severity.ERROR
    references = (sheet(row.name), *((OPS_171,) if disagree else ()))
    doubt = " The list of 1.7.1 does name it: try it." if disagree else ""
    if row.pytorch:
        text = f"From ONNX the toolkit does not take {node.op}; from TorchScript it does ({row.name}).{doubt}"
        return about(
            node, "other-route-only", severity, text, *references, advice=PT_ROUTE, other_route="TorchScript"
        )
    text = f"The toolkit takes {node.op} ({row.name}) by no route.{doubt}"
    return about(node, "unsupported-operator", severity, text, *references, advice=OTHER_WORDS)


def eight_bits(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Operators whose accuracy may drop with 8 bits."""
    name = row_of(node, graph)
    row = rknn1.row(name) if name else None
    if row is not None and row.onnx:
        yield from drop_on_8_bits(node, node.op, row, target)


def drop_on_8_bits(node: Node, operator: str, row: rknn1.Row, target: Target) -> Iterator[Finding]:
    """A warning where the vendor's table says so of the row, and the target has just eight bits."""
    if row.drops_on_8_bits and target.dtype in rknn1.EIGHT_BITS:
        text = f"{operator} may lose accuracy with {target.dtype}: the vendor says so of {row.name}."
        advice = "Give this layer i16 (hybrid quantization), or compare i16 with u8 for the whole network."
        yield about(node, "accuracy-on-8-bits", Severity.WARNING, text, sheet(row.name), advice=advice)


def _unlisted(node: Node, name: str) -> Iterator[Finding]:
    if node.op in rknn1.LISTED_BY_171 or node.op in rknn1.BY_RANK or node.op in ("Resize", "Upsample", "Pad"):
        return  # listed, if without limits; or the number of dimensions is unknown
    text = f"The vendor's table says nothing about {name or node.op}: whether it converts is not promised."
    advice = "Convert a small network that ends with this layer before relying on it."
    yield about(node, "unlisted-operator", Severity.WARNING, text, reasoned(UNLISTED), advice=advice)


def row_of(node: Node, graph: Graph) -> str:
    """The name of the table's row about this layer, "" when none is."""
    if is_gelu(node, graph):
        return "gelu"
    if is_mish(node, graph):
        return "mish"
    if is_of_layer_norm(node, graph):
        return "layer_norm"
    special = SPECIAL.get(node.op)
    return special(node) if special else _ranked(node) or rknn1.ROW_OF.get(node.op, "")


def _ranked(node: Node) -> str:
    names, shape = rknn1.BY_RANK.get(node.op, ()), node.input_shape()
    place = len(shape) - 3 if shape is not None else -1
    return names[place] if 0 <= place < len(names) else ""


def _conv(node: Node) -> str:
    weights, name = node.input(1), _ranked(node)
    computed = weights is not None and not weights.is_constant
    return f"dynamic_{name}" if computed and name and node.op == "Conv" else name


def _pad(node: Node) -> str:
    mode, rank = str(node.attributes.get("mode", "constant")), len(node.input_shape() or ())
    if mode == "constant":
        return f"constant_pad_{min(max(rank - 2, 1), 3)}d"
    return {"reflect": "reflection_pad2d", "edge": "replication_pad2d"}.get(mode, "")


def _resize(node: Node) -> str:
    shape, mode = node.input_shape(), str(node.attributes.get("mode", "nearest"))
    if shape is None or mode not in rknn1.RESIZED:
        return ""
    return f"{rknn1.RESIZED[mode]}{len(shape) - 2}d"


def _gather(node: Node) -> str:
    table, indices = node.input(0), node.input(1)
    if indices and indices.is_constant:
        return "select"
    return "embedding" if table and table.is_constant else ""


SPECIAL = {"Conv": _conv, "Pad": _pad, "Resize": _resize, "Upsample": _resize, "Gather": _gather}
