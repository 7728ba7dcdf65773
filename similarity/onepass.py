"""One pass over two tensors for all sums that the core scores need.

The pass goes over blocks that stay in the cache and adds up rows of 2,048 products in float32 (see fused.py);
everything from there on is float64, so no printed digit depends on the length of a layer. Blocks whose squares
leave the range of float32 are done again in float64; NaN and Inf are counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from similarity.fused import ROW, fused
from similarity.stored import Floats, StoredTensor

BLOCK = 64 * ROW
# Sums of squares under this may have lost addends that float32 cannot hold.
SMALL_SQUARES = 1e-20


@dataclass
class Sums:
    """What one pass gathers; `aa` is a.a, `dd` is |a - b|^2 and so on, in float64."""

    aa: float = 0.0
    bb: float = 0.0
    ab: float = 0.0
    dd: float = 0.0
    absolute: float = 0.0
    largest: float = 0.0
    at_ends: int = 0
    bad_a: int = 0
    bad_b: int = 0

    def add(self, other: Sums) -> None:
        largest = max(self.largest, other.largest)
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
        self.largest = largest


@dataclass(frozen=True)
class Ends:
    """Thresholds of the quantized range: at or below `low`, or at or above `high`, a value is saturated."""

    low: np.float32 | None
    high: np.float32 | None

    @property
    def are_known(self) -> bool:
        return self.low is not None or self.high is not None

    def count(self, values: Floats) -> int:
        low = 0 if self.low is None else int(np.count_nonzero(values <= self.low))
        return low + (0 if self.high is None else int(np.count_nonzero(values >= self.high)))


@dataclass(frozen=True)
class Work:
    """Two flat tensors of equal size to be summed; `careful` does all of it in float64, more slowly."""

    a: StoredTensor
    b: StoredTensor
    ends: Ends
    careful: bool = False


def sum_all(work: Work) -> Sums:
    """All sums over the two tensors of `work`, block by block; nothing grows with their size."""
    total, size = Sums(), work.a.size
    length = min(BLOCK, size)
    buffers: list[Floats] = [np.empty(length, np.float32) for _ in range(2)]
    scratch: Floats = np.empty(ROW, np.float32)
    for start in range(0, size, BLOCK):
        stop = min(size, start + BLOCK)
        x, y = (
            np.ascontiguousarray(tensor.block(start, stop, buffer))
            for tensor, buffer in zip((work.a, work.b), buffers, strict=True)
        )
        if work.careful or not _add_quickly(total, x, y, scratch):
            _add_carefully(total, x, y)
        if work.ends.are_known:
            total.at_ends += work.ends.count(y)
    return total


def _add_quickly(total: Sums, x: Floats, y: Floats, scratch: Floats) -> bool:
    """Add one block in float32; false, with nothing added, when float32 cannot hold its squares."""
    aa, bb, ab, dd, absolute, largest = fused()(x, y, scratch)
    if not math.isfinite(aa + bb + dd) or aa < SMALL_SQUARES or bb < SMALL_SQUARES:
        return False
    total.add(Sums(aa, bb, ab, dd, absolute, largest))
    return True


def _add_carefully(total: Sums, x: Floats, y: Floats) -> None:
    """One block in float64: for squares beyond float32, and for NaN and Inf, which are counted."""
    with np.errstate(
        all="ignore"
    ):  # overflow and NaN are looked for in the sums; warnings would say nothing new
        a, b = x.astype(np.float64), y.astype(np.float64)
        difference = np.abs(a - b)
        aa, bb, ab, dd = (float(p @ q) for p, q in ((a, a), (b, b), (a, b), (difference, difference)))
        absolute, largest = float(difference.sum()), float(difference.max())
    bad_a, bad_b = (int(np.count_nonzero(~np.isfinite(values))) for values in (a, b))
    total.add(Sums(aa, bb, ab, dd, absolute, largest, bad_a=bad_a, bad_b=bad_b))
