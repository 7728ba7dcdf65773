"""What is said about one pair of tensors: the numbers, their edge cases and their form for JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Scores:
    """How far a candidate b is from its reference a, both in the same logical layout.

    cosine          a.b / (|a| |b|); both zero: 1, one zero: 0
    euclidean       |a - b|
    euclidean_norm  |a/|a| - b/|b|| = sqrt(2 - 2 cosine): blind to a gain; both zero: 0, one zero: sqrt(2)
    relative_l2     |a - b| / |a|; a is zero: 0 when b is, else inf
    sqnr_db         10 log10(|a|^2 / |a - b|^2); equal tensors: inf
    gain            a.b / |a|^2; a is zero: 1 when b is, else NaN
    max_abs         largest |a - b|
    mean_abs        mean |a - b|
    lsb_max         max_abs in quantization steps; None where the scale is not known
    lsb_p999        99.9th percentile of |a - b| in steps; None until asked for
    saturated       share of b at the ends of its quantized range; None where the range is not known
    order_free      cosine of the sorted values; None until asked for
    nonfinite_*     how many NaN and Inf each tensor holds; when any, all error figures are NaN
    """

    elements: int
    cosine: float
    euclidean: float
    euclidean_norm: float
    relative_l2: float
    sqnr_db: float
    gain: float
    max_abs: float
    mean_abs: float
    lsb_max: float | None = None
    lsb_p999: float | None = None
    saturated: float | None = None
    nonfinite_reference: int = 0
    nonfinite_candidate: int = 0
    order_free: float | None = None

    @property
    def is_finite(self) -> bool:
        return not (self.nonfinite_reference or self.nonfinite_candidate)

    @property
    def norm_ratio(self) -> float:
        """|b| / |a|, which follows from |a - b|^2 = |a|^2 + |b|^2 - 2 a.b; NaN where |a| is 0 or not finite."""
        if not math.isfinite(self.relative_l2) or not math.isfinite(self.gain):
            return math.nan
        return math.sqrt(max(0.0, self.relative_l2**2 - 1.0 + 2.0 * self.gain))

    @property
    def is_exact(self) -> bool:
        return self.is_finite and self.max_abs == 0.0

    def as_dict(self) -> dict[str, Any]:
        """The scores for JSON: numbers JSON cannot hold become None, and flags say why.

        `exact` (equal tensors: sqnr_db would be inf), `finite` (no NaN or Inf in either tensor) and
        `zero_reference` (the reference is all zero and the candidate is not: relative_l2 would be inf,
        sqnr_db -inf, gain unknown).
        """
        numbers = {name: _for_json(value) for name, value in asdict(self).items()}
        zero_reference = math.isinf(self.relative_l2)
        return {**numbers, "exact": self.is_exact, "finite": self.is_finite, "zero_reference": zero_reference}


def _for_json(value: float | None) -> float | None:
    return value if value is None or math.isfinite(value) else None
