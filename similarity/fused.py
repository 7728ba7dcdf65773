"""The inner loop of the one pass: six sums of a block while it is read once, compiled for this machine's processor.

NumPy needs seven passes over a block in the cache and reaches 36 % of the bandwidth of `np.dot`; one fused loop reaches
nearly twice that (tests/bench/bench_similarity.py measures both). numba compiles it before the first call, in about a
second; a process that never compares never loads numba.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]
Fused = Callable[[Block, Block, Block], tuple[float, float, float, float, float, float]]

# Products are added up in float32 over so many elements, and in float64 from there on.
ROW = 2048
# Sums may be reordered (that makes them fast), but NaN and Inf keep their meaning: they are looked for in the sums.
REORDERED: Any = {"reassoc", "contract", "nsz"}
MAGNITUDE = 0x7FFFFFFF  # the bits of a float32 without its sign: ordered like the absolute values


@cache
def fused() -> Fused:
    """The compiled loop: `(a, b, scratch) -> a.a, b.b, a.b, |a-b|^2, sum |a-b|, max |a-b|`.

    `a` and `b` are contiguous float32 of one length, `scratch` is room for ROW elements.
    """
    from numba import float32, float64, njit, types

    seen = types.Array(float32, 1, "C", readonly=True)  # takes writable arrays too
    sums = types.UniTuple(float64, 6)

    @njit(fastmath=REORDERED, nogil=True, error_model="numpy")
    def row(x: Block, y: Block, difference: Block) -> Any:
        zero = np.float32(0)
        aa, bb, ab, dd, absolute = zero, zero, zero, zero, zero
        for i in range(x.size):
            d = x[i] - y[i]
            aa += x[i] * x[i]
            bb += y[i] * y[i]
            ab += x[i] * y[i]
            dd += d * d
            absolute += abs(d)
            difference[i] = d
        return aa, bb, ab, dd, absolute

    @njit(nogil=True, error_model="numpy")
    def largest(bits: NDArray[np.int32]) -> Any:
        """As integers, because only their maximum is computed many at a time; NaN is larger than every number."""
        most = np.int32(0)
        for i in range(bits.size):
            most = max(most, bits[i] & np.int32(MAGNITUDE))
        return most

    @njit(sums(seen, seen, float32[::1]), nogil=True, error_model="numpy")
    def block(a: Block, b: Block, scratch: Block) -> Any:
        aa, bb, ab, dd, absolute = 0.0, 0.0, 0.0, 0.0, 0.0
        most = np.zeros(1, np.int32)
        bits = scratch.view(np.int32)
        for start in range(0, a.size, ROW):
            stop = min(a.size, start + ROW)
            r = row(a[start:stop], b[start:stop], scratch)
            aa += r[0]
            bb += r[1]
            ab += r[2]
            dd += r[3]
            absolute += r[4]
            most[0] = max(most[0], largest(bits[: stop - start]))
        return aa, bb, ab, dd, absolute, float(most.view(np.float32)[0])

    return block


def warm_up() -> None:
    """Compile now rather than at the first comparison: for workers, before they share their memory with children."""
    fused()
