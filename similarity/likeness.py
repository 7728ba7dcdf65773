"""How much two layers of different graphs look like the same layer, judged by their values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from similarity.dumpfile import DumpFile, LayerInfo
from similarity.layout import Statistics, rearrangement, same_statistics, statistics
from similarity.metrics import core_scores

# relative_l2 at which two layers are no longer taken for the same (a cosine of about 0.98). Two float runs
# of one network agree far better, and neighbours in a residual network can come this near.
FARTHEST = 0.2
# How far mean, spread and half the ends may differ, in standard deviations: what rounding does, and what 8
# bits do.
FLOAT_LIMIT = 0.002
QUANTIZED_LIMIT = 0.05
# Layers with equal values are told apart by what they do, then by their shape, then by their order.
SAME_OP = 0.5
SAME_SHAPE = 0.25
OTHER_ORDER = 0.5


@dataclass
class Likeness:
    """Weights between layers by position, worked out when asked for and remembered."""

    reference: DumpFile
    candidate: DumpFile
    _seen: dict[tuple[str, str], Statistics] = field(default_factory=dict)

    def of(self, row: int, column: int) -> float:
        """0 for layers that differ; more for values that agree, more again for one operator and one shape."""
        a, b = self.reference.layers[row], self.candidate.layers[column]
        if not self._may_agree(a, b):
            return 0.0
        values = self._values(a, b)
        if values == 0.0:
            return 0.0
        return values + SAME_OP * is_same_op(a.op, b.op) + SAME_SHAPE * (a.shape == b.shape)

    def _may_agree(self, a: LayerInfo, b: LayerInfo) -> bool:
        if a.size != b.size or a.size == 0:
            return False
        limit = FLOAT_LIMIT if a.scale is None and b.scale is None else QUANTIZED_LIMIT
        one, other = self._statistics("a", a), self._statistics("b", b)
        slack = limit * one.spread + 1e-6 * abs(one.mean)
        ends_agree = max(abs(one.low - other.low), abs(one.high - other.high)) <= 2 * slack
        return ends_agree and same_statistics(one, other, limit)

    def _values(self, a: LayerInfo, b: LayerInfo) -> float:
        """1 for equal values in order, falling to 0 with the distance; half as much for another order."""
        x, y = self.reference.tensor(a.key), self.candidate.tensor(b.key)
        in_order = max(0.0, 1.0 - core_scores(x, y).relative_l2 / FARTHEST)
        if in_order > 0.0 or (a.shape, a.layout) == (b.shape, b.layout):
            return in_order
        found = rearrangement(x, y)
        if found is None:
            return 0.0
        distance = math.sqrt(max(0.0, 2.0 - 2.0 * found.cosine))
        return OTHER_ORDER * max(0.0, 1.0 - distance / FARTHEST)

    def _statistics(self, side: str, layer: LayerInfo) -> Statistics:
        if (side, layer.key) not in self._seen:
            dump = self.reference if side == "a" else self.candidate
            self._seen[side, layer.key] = statistics(dump.tensor(layer.key))
        return self._seen[side, layer.key]


def is_same_op(one: str, other: str) -> bool:
    """Whether two makers mean the same operator: Conv and convolution, PRelu and prelu."""
    a, b = ("".join(char for char in op.lower() if char.isalnum()) for op in (one, other))
    return bool(a and b) and (a.startswith(b) or b.startswith(a))
