"""What a toolkit made of a source's graph, short enough for a row: the rules that fired, and the compiled operators."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.conversions.models import Artifact

RULES = 50
WORD = 80
# of a compiled layer, all but its names: two sources that become the same are equal in these
TOLD = ("op", "dtype", "target", "output_shape", "npu_cycles")


def summary(facts: Mapping[str, Any]) -> dict[str, Any]:
    """`rules` (rule: how often), `operators` (operator: how many) and `graph`, a hash of the compiled layers in order.

    Empty for facts that hold no compiled layers.
    """
    rewrites, layers = _rows(facts.get("rewrites")), _rows(facts.get("layers"))
    if not layers:
        return {}
    rules = Counter(_word(row.get("rule")) for row in rewrites)
    told = json.dumps([[str(row.get(name)) for name in TOLD] for row in layers])
    return {
        "rules": dict(sorted(rules.items())[:RULES]),
        "operators": dict(sorted(Counter(_word(row.get("op")) for row in layers).items())[:RULES]),
        "graph": hashlib.sha256(told.encode()).hexdigest(),
    }


def is_same_graph(artifacts: Sequence[Artifact | None]) -> bool:
    """Did the toolkit compile all of these, of at least two sources, to the same operators of the same sizes?"""
    graphs = {artifact.compiled.get("graph") if artifact else None for artifact in artifacts}
    return len(artifacts) > 1 and len(graphs) == 1 and None not in graphs


def _word(value: object) -> str:
    """A name of the toolkit's, fit for every database and page."""
    return "".join(letter for letter in str(value or "") if letter.isprintable())[:WORD]


def _rows(value: object) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []
