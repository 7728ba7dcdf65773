"""The rules, by toolkit. They know a frozen graph and facts, and neither database nor page."""

from dashboard.lint.facts import rknn1, rknn2
from dashboard.lint.findings import Finding, Target, ordered
from dashboard.lint.graph import Graph
from dashboard.lint.rules import fusing, general, limits1, rearranging, support1, support2, torchscript
from dashboard.lint.rules.making import NodeRule

RKNN1_RULES: tuple[NodeRule, ...] = (
    *general.NODE_RULES,
    support1.support,
    support1.eight_bits,
    *limits1.NODE_RULES,
    *rearranging.RKNN1_RULES,
    *fusing.NODE_RULES,
)
RKNN2_RULES: tuple[NodeRule, ...] = (
    *general.NODE_RULES,
    *support2.NODE_RULES,
    *rearranging.RKNN2_RULES,
    *fusing.NODE_RULES,
)
RULES: dict[str, tuple[NodeRule, ...]] = {
    "reference": general.REFERENCE_RULES,
    "rknn1": RKNN1_RULES,
    "rknn2": RKNN2_RULES,
}
TORCH_RULES: dict[str, tuple[NodeRule, ...]] = {
    "rknn1": torchscript.RKNN1_RULES,
    "rknn2": torchscript.RKNN2_RULES,
}
TORCHSCRIPT = "torchscript"
# what each toolkit converts for; a recipe may offer less, as its workers have it
PLATFORMS = {
    "reference": ("rv1126", "rv1109"),
    "rknn1": rknn1.PLATFORMS,
    "rknn2": rknn2.PLATFORMS,
}
DTYPES = {"reference": ("u8",), "rknn1": rknn1.DTYPES, "rknn2": rknn2.DTYPES}


def lint(graph: Graph, target: Target) -> list[Finding]:
    """What the rules find in the graph for this target, the worst first. Layers that are known before the network
    runs are not looked at: toolkits fold them."""
    is_torch = graph.format == TORCHSCRIPT
    rules = TORCH_RULES.get(target.toolkit, ()) if is_torch else RULES[target.toolkit]
    about_all = general.ANY_FORMAT_RULES if is_torch else general.GRAPH_RULES
    found = [finding for rule in about_all for finding in rule(graph, target)]
    for node in graph.nodes:
        if not node.is_folded:
            for rule in rules:
                found.extend(rule(node, graph, target))
    return ordered(found)
