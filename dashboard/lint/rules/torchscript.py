"""Rules for TorchScript files: the operators that the code calls, met with what each toolkit's PyTorch loader takes."""

from collections.abc import Iterator

from dashboard.lint.facts import rknn1, torch1
from dashboard.lint.facts.references import FORUM, reasoned, sheet, tried
from dashboard.lint.facts.tried import answer_of_case
from dashboard.lint.findings import Finding, Severity, Target
from dashboard.lint.graph import Graph, Node
from dashboard.lint.rules.making import NodeRule, about
from dashboard.lint.rules.patterns import KNOWN
from dashboard.lint.rules.rearranging import COST, KEEP, NPU_RANK, RULE_OF, UNSAFE

OTHER_WORDS = "Write the layer with operators that the table has, or compute it outside of the network."
ONNX_TOO = "Export it to ONNX as another route as well: what lint knows of that is told there."
UNLISTED = "no row of the table is about this operator"
ALL_ROUTES = tried("the forum's network by four routes on rv1126b: one compiled graph")
WRITTEN_OUT = (
    "RKNN-Toolkit 1.7's PyTorch loader writes PixelShuffle out as Reshape, 6-D Transpose, Reshape. On an RV1126 a "
    "network in this form was fast and its pictures were wrong; the vendor's accuracy table was the same as for the "
    "right ones."
)


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
    if row is None or not row.drops_on_8_bits or not row.pytorch or target.dtype not in rknn1.EIGHT_BITS:
        return
    text = f"{operator_of(node)} may lose accuracy with {target.dtype}: the vendor says so of {row.name}."
    advice = "Give this layer i16 (hybrid quantization), or compare i16 with u8 for the whole network."
    yield about(node, "accuracy-on-8-bits", Severity.WARNING, text, sheet(row.name), advice=advice)


def rearranging_on_rknn1(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """PixelShuffle, by itself or written out, and other permutations of more than four dimensions."""
    axes = axes_of(node)
    kind = KNOWN.get(axes, "")
    if operator_of(node) == "pixel_shuffle" or kind.startswith("pixel shuffle"):
        text = (
            WRITTEN_OUT if operator_of(node) == "pixel_shuffle" else f"A {kind}, written out. {WRITTEN_OUT}"
        )
        yield about(
            node,
            "pixel-shuffle",
            Severity.WARNING,
            text,
            FORUM,
            sheet("pixel_shuffle"),
            advice=KEEP,
            other_route="ONNX with DepthToSpace",
        )
    elif len(axes) > NPU_RANK:
        text = f"It permutes {len(axes)} dimensions; what is beyond four is unsafe on this NPU's driver."
        advice = "Keep tensors at four dimensions or fewer, and compare this layer on the board first."
        yield about(node, "rank-over-4", Severity.WARNING, text, UNSAFE, FORUM, advice=advice)


def rearranging_on_rknn2(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """What RKNN-Toolkit2 makes of a PixelShuffle, as tried on the platform."""
    kind = "pixel shuffle" if operator_of(node) == "pixel_shuffle" else KNOWN.get(axes_of(node), "")
    found = answer_of_case(f"Transpose: {kind}", target.platform, target.dtype) if kind else None
    if found is None or not found.is_built:
        return
    layers = ", ".join(f"{op} on the {unit}" for op, unit in found.layers if op != "Conv")
    built = layers or "nothing of its own: the convolution before it does it"
    rule = RULE_OF.get(kind, "")
    text = f"The {kind} becomes {built}{f' (rule {rule})' if rule else ''}, by whatever route it comes."
    seen = tried(f"case '{found.case}', {found.dtype} on {found.platform}", found.toolkit)
    costs = (COST,) if "ConvTranspose" in built else ()
    advice = "Another route is not faster. Time the layer on a board." if costs else ""
    severity = Severity.WARNING if found.on_cpu else Severity.NOTE
    yield about(node, "rewritten", severity, text, seen, ALL_ROUTES, *costs, advice=advice)


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
