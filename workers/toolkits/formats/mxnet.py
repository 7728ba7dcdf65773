"""MXNet: the symbol's .json names all variables, the .params file the filled ones; the rest are inputs."""

import re
from collections import Counter

from workers.toolkits.formats.facts import Facts
from workers.toolkits.formats.parts import Part, as_json
from workers.toolkits.onnxjob.jobside import Refused

PARAMS_BYTES = (1 << 31) - 1
NAMES_BYTES = 4 << 20


def facts(model: Part, weights: Part) -> Facts:
    """The inputs are the variables that the .params file does not fill; their sizes are in neither file."""
    graph = as_json(model.text())
    nodes = graph.get("nodes") if isinstance(graph, dict) else None
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise Refused("model:invalid", "The .json describes no network of MXNet.")
    filled = _params_names(weights)
    free = [str(node.get("name", "")) for node in nodes if node.get("op") == "null"]
    inputs = [name for name in free if name not in filled and not name.endswith("label")]
    return Facts(
        inputs=[(name, None, "float32") for name in inputs],
        operators=Counter(str(node.get("op")) for node in nodes if node.get("op") != "null"),
        producer="MXNet",
    )


def _params_names(weights: Part) -> set[str]:
    """The names at the end of the .params file, behind its arrays, written as "arg:<name>" and "aux:<name>"."""
    tail = b""
    for piece in weights.chunks(PARAMS_BYTES):
        tail = (tail + piece)[-NAMES_BYTES:]
    found = re.findall(rb"(?:arg|aux):([\x20-\x7e]+)", tail)
    return {name.decode("ascii") for name in found}
