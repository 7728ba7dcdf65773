"""Layers that become one with the convolution before them, and so have no row or dump of their own."""

from collections.abc import Iterator

from dashboard.lint.facts.references import compiler, tried, trouble
from dashboard.lint.facts.rknn2 import SECTIONS
from dashboard.lint.facts.tried import Answer, answer_of_case
from dashboard.lint.findings import Finding, Reference, Severity, Target
from dashboard.lint.graph import Graph, Node
from dashboard.lint.rules.making import about
from dashboard.lint.rules.patterns import is_gelu, is_mish, is_swish

PLAIN = (
    "Relu",
    "LeakyRelu",
    "Sigmoid",
    "Tanh",
    "Softplus",
    "HardSigmoid",
    "HardSwish",
    "Elu",
    "PRelu",
    "Clip",
)
GONE = "It has no row of its own in tables and dumps: compare the layer that it became a part of."


def fusing(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Notes of what is fused, as tried with the real toolkit or as the vendor tells."""
    if target.toolkit == "rknn1" and node.op == "Relu" and _conv_alone(node, graph):
        text = "ReLU becomes a part of the convolution before it."
        yield about(node, "fused", Severity.NOTE, text, trouble("9"), advice=GONE)
    elif target.toolkit == "rknn2" and (found := fused(node, graph, target)):
        layer = found.layers[0][0]
        text = f"It becomes a part of the convolution before it (one layer, {layer})."
        references = (tried(f"case '{found.case}' on {found.platform}", found.toolkit), *_section(target))
        yield about(node, "fused", Severity.NOTE, text, *references, advice=GONE)


def fused(node: Node, graph: Graph, target: Target) -> Answer | None:
    """What the toolkit made of this layer behind a convolution, when that was one layer on the NPU."""
    kind = _kind(node, graph)
    found = answer_of_case(f"after Conv: {kind}", target.platform, target.dtype) if kind else None
    return found if found and found.is_built and len(found.layers) == 1 and not found.on_cpu else None


def _kind(node: Node, graph: Graph) -> str:
    if is_gelu(node, graph):
        before = graph.before(node)
        return "Gelu" if before is not None and _is_conv(graph.before(before)) else ""
    if is_mish(node, graph) or is_swish(node, graph):
        return ("Mish" if node.op == "Softplus" else "Swish") if _is_conv(graph.before(node)) else ""
    if not _conv_alone(node, graph):
        return ""
    if node.op == "Mul":
        other = node.input(1)
        return "Mul by a constant" if other and other.is_constant else ""
    return node.op if node.op in (*PLAIN, "BatchNormalization") else ""


def _conv_alone(node: Node, graph: Graph) -> bool:
    """Whether a convolution feeds this layer and nothing else."""
    before = graph.before(node)
    return before is not None and _is_conv(before) and len(graph.after(before)) == 1


def _is_conv(node: Node | None) -> bool:
    return node is not None and node.op == "Conv" and not node.is_folded


def _section(target: Target) -> tuple[Reference, ...]:
    section = SECTIONS.get(target.platform)
    return (compiler(f"{section}, Convolution..."),) if section else ()


NODE_RULES = (fusing,)
