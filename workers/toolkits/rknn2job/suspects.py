"""What in the source makes RKNN-Toolkit2 fail in words that tell of something else: seen with real networks, 2.5.0.

When the toolkit is called, ONNX Runtime has executed the source: whatever the toolkit then says of its graph is about
what the toolkit made of it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import onnx

from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.onnxjob.modelfile import STANDARD_DOMAINS, all_graphs

UNSUPPORTED = "model:unsupported-operator"
VAGUE = ("toolkit:failed", "model:invalid")
NAMES_SHOWN = 5
ON_INTEGERS = frozenset(
    "ConvInteger MatMulInteger DynamicQuantizeLinear QLinearConv QLinearMatMul".split()  # noqa: SIM905
)
FLOAT_SOURCE = "The network is quantized already: upload the float network that it was made of."


@dataclass(frozen=True)
class Suspect:
    """Nodes that `is_one` holds for are why; `says` is what to do about them."""

    is_one: Callable[[onnx.NodeProto], bool]
    says: str


SUSPECTS: Sequence[Suspect] = (
    Suspect(
        lambda node: node.op_type in {"If", "Loop", "Scan", "SequenceMap"},
        "RKNN-Toolkit2 does not look into the graphs inside these. Where a condition is known once sizes are fixed,"
        " fold it (onnxsim model.onnx folded.onnx) or export the branch that is needed alone; unroll a loop.",
    ),
    Suspect(lambda node: "Quantize" in node.op_type and node.domain not in STANDARD_DOMAINS, FLOAT_SOURCE),
    Suspect(lambda node: node.op_type in ON_INTEGERS, FLOAT_SOURCE),
    Suspect(
        lambda node: node.domain not in STANDARD_DOMAINS,
        "These are ONNX Runtime's own: save the model without its optimizations, or export it anew.",
    ),
)


@contextmanager
def suspected(model: onnx.ModelProto | None) -> Iterator[None]:
    """Within it, a vague refusal becomes model:unsupported-operator where `model` holds what is known to be why; one
    that says so already is told what to do about its operator.
    """
    try:
        yield
    except Refused as refused:
        is_clear = refused.code == UNSUPPORTED
        named = _named(model, refused.detail if is_clear else "") if is_clear or refused.code in VAGUE else ""
        if named:
            raise Refused(UNSUPPORTED, f"{named} ({refused.detail})") from refused
        raise


def _named(model: onnx.ModelProto | None, said: str) -> str:
    """The operators and what to do about them; "" when nothing is suspected. Of those that `said` names, if it is not
    empty.
    """
    if model is None:
        return ""
    nodes = [node for graph in all_graphs(model.graph) for node in graph.node]
    nodes = [node for node in nodes if not said or re.search(rf"\b{re.escape(node.op_type)}\b", said)]
    for suspect in SUSPECTS:
        found = dict.fromkeys(
            f"{node.op_type} ({node.name or '?'})" for node in nodes if suspect.is_one(node)
        )
        if found:
            shown = ", ".join(list(found)[:NAMES_SHOWN])
            more = f" and {len(found) - NAMES_SHOWN} more" if len(found) > NAMES_SHOWN else ""
            return f"{shown}{more}: {suspect.says}"
    return ""
