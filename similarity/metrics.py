"""The numbers of one pair of tensors: the core scores from one pass, and those that must sort."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.onepass import Ends, Sums, Work, sum_all
from similarity.scores import Scores
from similarity.stored import StoredTensor, stored

Tensor = NDArray[Any] | StoredTensor


def core_scores(
    reference: Tensor,
    candidate: Tensor,
    *,
    scale: float | None = None,
    qmin_value: float | None = None,
    qmax_value: float | None = None,
) -> Scores:
    """Every score that one pass over both tensors yields; order_free and lsb_p999 stay None.

    The tensors must hold equally many elements (else ValueError) and are compared as float32 in C order.
    `scale` is the size of one quantization step of the candidate, `qmin_value` and `qmax_value` the real
    values at the ends of its range; a candidate within half a step of an end counts as saturated.
    Contiguous tensors need a few MB of extra memory whatever their size.
    """
    a, b = stored(reference).flat(), stored(candidate).flat()
    if a.size != b.size:
        raise ValueError(f"{a.size} elements cannot be compared with {b.size}")
    slack = (scale or 0.0) / 2
    ends = Ends(
        None if qmin_value is None else np.float32(qmin_value + slack),
        None if qmax_value is None else np.float32(qmax_value - slack),
    )
    sums = sum_all(Work(a, b, ends))
    if _is_mere_gain(sums):
        sums = sum_all(Work(a, b, ends, careful=True))
    return _finish(sums, a.size, scale, ends)


def order_free(reference: Tensor, candidate: Tensor) -> float:
    """Cosine of the sorted values: near 1 while cosine is low means the same numbers in another order.

    Needs a sorted copy of each tensor. NaN when either holds one.
    """
    a, b = (stored(tensor).floats().flatten() for tensor in (reference, candidate))
    a.sort()
    b.sort()
    return core_scores(a, b).cosine


def lsb_percentile(reference: Tensor, candidate: Tensor, scale: float, percent: float = 99.9) -> float:
    """The `percent`th percentile of |a - b| in quantization steps of size `scale`; needs one copy of a
    tensor.

    It is the smallest difference that at least `percent` of the elements do not exceed (no interpolation).
    """
    a, b = stored(reference).floats(), stored(candidate).floats()
    if a.size == 0:
        return 0.0
    with np.errstate(all="ignore"):
        difference = np.subtract(a.reshape(-1), b.reshape(-1))
    np.abs(difference, out=difference)
    index = max(0, math.ceil(difference.size * percent / 100) - 1)
    difference.partition(index)
    return float(difference[index]) / scale


def _is_mere_gain(sums: Sums) -> bool:
    """Whether nearly all of the difference is a gain: float32 sums then leave the cosine only six digits."""
    if not (sums.aa > 0.0 and sums.bb > 0.0):
        return False
    return _angle(sums)[1] < 0.02 and abs(math.sqrt(sums.bb / sums.aa) - 1.0) > 0.05


def _finish(sums: Sums, elements: int, scale: float | None, ends: Ends) -> Scores:
    saturated = None
    if elements and (ends.low is not None or ends.high is not None):
        saturated = sums.at_ends / elements
    if sums.bad_a or sums.bad_b:
        nan = math.nan
        lsb = None if scale is None else nan
        return Scores(
            elements, nan, nan, nan, nan, nan, nan, nan, nan, lsb, None, saturated, sums.bad_a, sums.bad_b
        )
    cosine, distance = _angle(sums)
    return Scores(
        elements=elements,
        cosine=cosine,
        euclidean=math.sqrt(sums.dd),
        euclidean_norm=distance,
        relative_l2=_ratio(math.sqrt(sums.dd), math.sqrt(sums.aa)),
        sqnr_db=_decibels(sums.aa, sums.dd),
        gain=sums.ab / sums.aa if sums.aa else (math.nan if sums.bb else 1.0),
        max_abs=sums.largest,
        mean_abs=sums.absolute / elements if elements else 0.0,
        lsb_max=None if scale is None else sums.largest / scale,
        saturated=saturated,
    )


def _angle(sums: Sums) -> tuple[float, float]:
    """Cosine and euclidean_norm.

    |a/|a| - b/|b||^2 = (|a-b|^2 - (|a| - |b|)^2) / (|a| |b|) keeps its digits where 2 - 2 cosine has none left, and
    the cosine near 1 follows from it. For norms of very different size it is the other way round. A squared
    distance that rounding made negative is a distance of zero.
    """
    a, b = math.sqrt(sums.aa), math.sqrt(sums.bb)
    if a == 0.0 or b == 0.0:
        return (1.0, 0.0) if a == b else (0.0, math.sqrt(2.0))
    cosine = sums.ab / a / b
    if 1 / 4 < a / b < 4 and cosine > 0.75:
        squared = max(0.0, (sums.dd - (a - b) ** 2) / (a * b))
        return 1.0 - squared / 2, math.sqrt(squared)
    return cosine, math.sqrt(max(0.0, 2.0 - 2.0 * cosine))


def _ratio(numerator: float, denominator: float) -> float:
    if denominator == 0.0:
        return 0.0 if numerator == 0.0 else math.inf
    return numerator / denominator


def _decibels(signal: float, noise: float) -> float:
    if noise == 0.0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf
