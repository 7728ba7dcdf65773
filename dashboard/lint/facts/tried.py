"""What the real RKNN-Toolkit2 did with each operator alone, as tools/try_operators.py found it: a file a platform.

Each case is a network of one operator on 1x16x8x8 numbers, built without a board; where a layer runs is the
compiler's plan. Larger layers may be planned otherwise.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dashboard.lint.facts.rknn2 import SECTIONS
from dashboard.lint.graph import Node

FOLDER = Path(__file__).resolve().parent.parent / "tried"
FLOAT = "float"
EIGHT_BITS = "w8a8"
FOUR = 4  # dimensions: batch, channels, height, width


@dataclass(frozen=True)
class Answer:
    """`layers` are (operator, unit) of what was built; `refused` is the toolkit's reason; `died` the exit status of a
    process that ended without one (negative: a signal)."""

    case: str
    toolkit: str
    platform: str
    dtype: str
    layers: tuple[tuple[str, str], ...] = ()
    refused: str = ""
    died: int = 0

    @property
    def is_built(self) -> bool:
        return not self.refused and not self.died

    @property
    def on_cpu(self) -> tuple[str, ...]:
        """Operators that the compiler planned for the CPU."""
        return tuple(op for op, unit in self.layers if unit == "CPU")


def answer(node: Node, platform: str, dtype: str) -> Answer | None:
    """What the toolkit did with the case that is most like this node, None when none is like it."""
    return answer_of_case(case_of(node), platform, dtype)


def answer_of_case(case: str, platform: str, dtype: str) -> Answer | None:
    """What the toolkit did with the case of this name, None when it was not tried for the platform."""
    answers = _answers(platform)
    kind = FLOAT if dtype == FLOAT else EIGHT_BITS
    found = answers.get("answers", {}).get(kind, {}).get(case)
    if found is None:
        return None
    return Answer(
        case,
        str(answers["toolkit"]),
        str(answers["platform"]),
        kind,
        tuple((str(op), str(unit)) for op, unit in found.get("layers", ())),
        str(found.get("refused", "")),
        int(found.get("died", 0)),
    )


@cache
def is_refused_altogether(platform: str, dtype: str) -> bool:
    """Whether the platform takes no build of this kind at all, whatever is in it."""
    return all(
        found is not None and not found.is_built
        for found in (answer_of_case(case, platform, dtype) for case in ("Conv", "Relu", "Add", "MaxPool"))
    )


def case_of(node: Node) -> str:
    """The name of the case in tools/operator_cases.py; "" for a node that none is like."""
    if not node.is_standard:
        return ""
    special = SPECIAL.get(node.op)
    return special(node) if special else node.op


@cache
def _answers(platform: str) -> dict[str, Any]:
    file = FOLDER / f"rknn2_{platform}.json"
    if platform not in SECTIONS or not file.is_file():
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _by_rank(node: Node, names: dict[int, str]) -> str:
    shape = node.input_shape()
    return "" if shape is None else names.get(len(shape), "")


def _conv(node: Node) -> str:
    weights, dilations = node.input(1), node.numbers("dilations")
    if weights is None or not weights.is_constant:
        return "Conv: weights that are computed"
    if len(set(dilations)) > 1 and min(dilations) > 1:
        return "Conv: unequal dilations"
    names = {3: "Conv: of 1 dimension", 4: "Conv", 5: "Conv: of 3 dimensions"}
    return "Conv: depthwise" if is_depthwise(node) else _by_rank(node, names)


def is_depthwise(node: Node) -> bool:
    """Whether a convolution has a group for each channel."""
    shape, group = node.input_shape(), node.attributes.get("group", 1)
    return shape is not None and len(shape) == FOUR and group == shape[1] and group != 1


def _max_pool(node: Node) -> str:
    if any(number > 1 for number in node.numbers("dilations")):
        return "MaxPool: dilated"
    if node.attributes.get("ceil_mode"):
        return "MaxPool: ceil_mode"
    plain = "MaxPool: padded" if any(node.numbers("pads")) else "MaxPool"
    return _by_rank(node, {3: "MaxPool: of 1 dimension", 4: plain})


def _average_pool(node: Node) -> str:
    if any(node.numbers("pads")) and len(node.input_shape() or ()) == FOUR:
        counted = node.attributes.get("count_include_pad", 0)
        return "AveragePool: padding counted" if counted else "AveragePool: padded"
    return _by_rank(
        node, {3: "AveragePool: of 1 dimension", 4: "AveragePool", 5: "AveragePool: of 3 dimensions"}
    )


def _resize(node: Node) -> str:
    mode, way = node.attributes.get("mode", "nearest"), node.attributes.get("coordinate_transformation_mode")
    if mode == "cubic":
        return "Resize: cubic"
    scales = resize_scales(node)
    if mode == "linear":
        whole = scales is None or all(float(scale).is_integer() for scale in scales)
        return "Resize: linear" if whole else "Resize: linear, 1.5 times"
    return "Resize: nearest, asymmetric" if way == "asymmetric" else "Resize: nearest"


def resize_scales(node: Node) -> tuple[float, ...] | None:
    """By how much each side grows, from the sizes or from the constant scales; None when nothing is known."""
    before, after = node.input_shape(), node.outputs[0].shape if node.outputs else None
    if before and after and len(before) == len(after):
        pairs = [
            (a, b)
            for a, b in zip(before, after, strict=True)
            if isinstance(a, int) and isinstance(b, int) and a
        ]
        if len(pairs) == len(before):
            return tuple(b / a for a, b in pairs)
    scales = node.input(2)
    known = [value for value in (scales.values or ()) if value is not None] if scales else []
    return tuple(known) or None


def _depth_to_space(node: Node) -> str:
    return f"DepthToSpace: {node.attributes.get('mode', 'DCR')}"


def _pad(node: Node) -> str:
    mode = node.attributes.get("mode", "constant")
    return "Pad" if mode == "constant" else f"Pad: {mode}"


def _matmul(node: Node) -> str:
    second = node.input(1)
    return "MatMul" if second and second.is_constant else "MatMul: of two results"


def _gather(node: Node) -> str:
    indices = node.input(1)
    return "Gather" if indices and indices.is_constant else "Gather: indices that are computed"


def _layer_normalization(node: Node) -> str:
    return _by_rank(node, {3: "LayerNormalization: 3 dimensions", 4: "LayerNormalization"})


def _batch(name: str, node: Node) -> str:
    shape = node.input_shape()
    return f"{name}: batch of 2" if shape and isinstance(shape[0], int) and shape[0] > 1 else name


SPECIAL: dict[str, Callable[[Node], str]] = {
    "Conv": _conv,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "Resize": _resize,
    "DepthToSpace": _depth_to_space,
    "Pad": _pad,
    "MatMul": _matmul,
    "Gather": _gather,
    "LayerNormalization": _layer_normalization,
    "Transpose": lambda node: "",  # depends on the axes: rules/rearranging.py
    "Softmax": lambda node: _batch("Softmax", node),
    "Slice": lambda node: _batch("Slice", node),
    "Tile": lambda node: _batch("Tile", node),
}
