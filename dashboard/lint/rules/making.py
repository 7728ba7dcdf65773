"""How rules say what they found."""

from collections.abc import Callable, Iterator

from dashboard.lint.findings import Finding, Reference, Severity, Target
from dashboard.lint.graph import Graph, Node

NodeRule = Callable[[Node, Graph, Target], Iterator[Finding]]
GraphRule = Callable[[Graph, Target], Iterator[Finding]]


def about(
    node: Node,
    code: str,
    severity: Severity,
    text: str,
    *references: Reference,
    advice: str = "",
    other_route: str = "",
) -> Finding:
    """A finding about this layer."""
    names = tuple(tensor.name for tensor in node.outputs)
    return Finding(
        code, severity, node.name, node.full_op, text, advice, references, other_route, names=names
    )


def of_source(
    code: str,
    severity: Severity,
    text: str,
    *references: Reference,
    advice: str = "",
    other_route: str = "",
) -> Finding:
    """A finding about the whole source."""
    return Finding(code, severity, "", "", text, advice, references, other_route)
