"""Rules for TorchScript files: the operators that the code calls, met with what each toolkit's PyTorch loader takes."""

from collections.abc import Iterator

from dashboard.lint.facts import rknn1, torch1
from dashboard.lint.facts.references import reasoned, sheet, tried
from dashboard.lint.findings import Finding, Severity, Target
from dashboard.lint.graph import Graph, Node
from dashboard.lint.rules.making import NodeRule, about
from dashboard.lint.rules.patterns import KNOWN
from dashboard.lint.rules.rearranging import NPU_RANK, beyond_four, rewritten, written_out
from dashboard.lint.rules.support1 import drop_on_8_bits

OTHER_WORDS = "Write the layer with operators that the table has, or compute it outside of the network."
ONNX_TOO = "Export it to ONNX as another route as well: what lint knows of that is told there."
UNLISTED = "no row of the table is about this operator"
ALL_ROUTES = tried("the forum's network by four routes on rv1126b: one compiled graph")
WRITTEN_OUT = "RKNN-Toolkit 1.7's PyTorch loader writes PixelShuffle out as Reshape, 6-D Transpose, Reshape."


def operator_of(node: Node) -> str:
    """The operator without "aten::" and without the mark of one that works in place."""
    name = node.op.removeprefix("aten::")
    return name.rstrip("_") or name


def row_of(node: Node) -> rknn1.Row | None:
    """The table's row about this operator, None when it has none."""
    name = operator_of(node)
    return rknn1.row(_convolution(node, name) or torch1.ROW_OF.get(name, name))


def support(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Operators that the table refuses, or does not name."""
    name = operator_of(node)
    if name in torch1.HARMLESS or name == "pixel_shuffle":
        return
    row = row_of(node)
    if row is None:
        text = f"The vendor's table says nothing about {name}: whether it converts is not promised."
        yield about(node, "unlisted-operator", Severity.WARNING, text, reasoned(UNLISTED), advice=ONNX_TOO)
    elif not row.pytorch:
        text = f"The toolkit takes {name} ({row.name}) by no route."
        yield about(node, "unsupported-operator", Severity.ERROR, text, sheet(row.name), advice=OTHER_WORDS)


def eight_bits(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Operators whose accuracy may drop with 8 bits."""
    row = row_of(node)
    if row is not None and row.pytorch:
        yield from drop_on_8_bits(node, operator_of(node), row, target)


def rearranging_on_rknn1(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """PixelShuffle, by itself or written out, and other permutations of more than four dimensions."""
    axes = axes_of(node)
    kind = KNOWN.get(axes, "")
    if operator_of(node) == "pixel_shuffle":
        yield written_out(node, WRITTEN_OUT)
    elif kind.startswith("pixel shuffle"):
        yield written_out(node, f"A {kind}, written out with a permutation of six dimensions.")
    elif len(axes) > NPU_RANK:
        yield beyond_four(node, f"It permutes {len(axes)} dimensions")


def rearranging_on_rknn2(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """What RKNN-Toolkit2 makes of a PixelShuffle, as tried on the platform."""
    kind = "pixel shuffle" if operator_of(node) == "pixel_shuffle" else KNOWN.get(axes_of(node), "")
    said = rewritten(node, f"Transpose: {kind}", target, ALL_ROUTES) if kind else None
    yield from [said] if said else []


def axes_of(node: Node) -> tuple[int, ...]:
    """The axes of a permutation, () for other operators and for axes that the code computes."""
    arguments = node.attributes.get("arguments")
    axes = arguments[1] if isinstance(arguments, list) and len(arguments) > 1 else None
    is_permutation = operator_of(node) == "permute" and isinstance(axes, list)
    return tuple(int(axis) for axis in axes) if is_permutation and axes else ()


def _convolution(node: Node, name: str) -> str:
    """The row of a convolution that has one operator for all dimensions, and tells by an argument whether it is
    transposed; "" for other operators."""
    names, arguments = torch1.CONVOLUTIONS.get(name), node.attributes.get("arguments")
    if not names or not isinstance(arguments, list) or len(arguments) < 7:
        return ""
    strides, transposed = arguments[3], arguments[6]
    return f"{names[bool(transposed)]}_{len(strides)}D" if isinstance(strides, list) else ""


RKNN1_RULES: tuple[NodeRule, ...] = (support, eight_bits, rearranging_on_rknn1)
RKNN2_RULES: tuple[NodeRule, ...] = (rearranging_on_rknn2,)
