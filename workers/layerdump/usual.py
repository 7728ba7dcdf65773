"""Lines as nearly all are, "%f" of a number below ten million: many at once, and no branch depends on what they hold.

Two steps, each over a thousand lines. The first finds where lines end and puts the first and the last eight bytes of
each aside. The second makes numbers of them, and as no line has to wait there for the one before it, LLVM lets each
instruction work on several lines. Some of the bytes put aside belong to the line before or behind: they are lost.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINES = 1024  # what is put aside of so many stays in the first cache
MOST_ENDS = 8  # in 64 bytes: a line of this kind has nine at least
BEFORE, BEHIND = 8, 72  # bytes around the text that are read, and do not count
AHEAD = 8192  # bytes: about one second step, in which the memory would else have nothing to do
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Words = NDArray[np.uint64]
Parse = Callable[[Bytes, int, int, Floats, Words, Words, Words], tuple[int, int]]


def scratch() -> tuple[Words, Words, Words]:
    """Room for what is put aside: the end before the first line and those of all lines, first bytes, last bytes."""
    return np.empty(LINES + 1, np.uint64), np.empty(LINES, np.uint64), np.empty(LINES, np.uint64)


@cache
def usual_lines() -> Parse:
    """The compiled parser: (text, begin, end, room, *scratch) -> numbers found, and where the next line begins.

    text[begin:end] is whole lines. It stops within a thousand lines before one that it does not know, and at such a one
    at once; and when `room` is full. Raises ValueError where fewer than BEFORE and BEHIND bytes are around the lines.
    """
    from numba import float32, int64, njit, types, uint8, uint64

    find, convert = _find(), _convert()
    lines, words = types.Array(uint8, 1, "C", readonly=True), uint64[::1]  # takes writable arrays too
    result = types.UniTuple(int64, 2)

    @njit(result(lines, int64, int64, float32[::1], words, words, words), nogil=True, error_model="numpy")
    def parse(  # noqa: PLR0917 - numba takes arguments by their places
        text: Bytes, begin: int, end: int, room: Floats, ends: Words, first: Words, last: Words
    ) -> Any:
        if begin < BEFORE or end + BEHIND > len(text):
            raise ValueError("too few bytes around the lines")
        at, done = begin, 0
        while at < end and done < len(room):
            found = min(int64(find(text, uint64(at), uint64(end), ends, first, last)), len(room) - done)
            if found == 0 or not convert(ends, first, last, room[done : done + found]):
                break
            at, done = int64(ends[found]) + 1, done + found
        return done, at

    return parse


def _find() -> Any:
    """Compiled, (text, begin, end, *scratch) -> how many lines have been put aside; 0 where lines are shorter."""
    from numba import njit, uint64

    from workers.layerdump import eightbytes

    # mypy takes an intrinsic for the function that generates it
    prefetch: Any = eightbytes.prefetch
    eight_at: Any = eightbytes.eight_at
    newlines_at: Any = eightbytes.newlines_at
    lowest_one: Any = eightbytes.lowest_one
    ones: Any = eightbytes.ones
    one, eight, all_64, each = uint64(1), uint64(8), uint64(64), tuple(range(MOST_ENDS))

    @njit(nogil=True, error_model="numpy")
    def find(  # noqa: PLR0917 - numba takes arguments by their places
        text: Bytes, begin: Any, end: Any, ends: Words, first: Words, last: Words
    ) -> Any:
        ends[0], at, found = begin - one, begin, uint64(0)
        while at < end and found <= uint64(LINES - MOST_ENDS):
            prefetch(text, at + uint64(AHEAD))
            newlines = newlines_at(text, at)
            if end - at < all_64:
                newlines &= (one << (end - at)) - one
            count = ones(newlines)
            if count > uint64(MOST_ENDS):
                break
            # As if there were eight: what is too much costs less than a wrong guess. One kind after the other, because
            # a processor stores more quickly what lies beside each other.
            for line in each:
                ends[found + uint64(line + 1)] = at + lowest_one(newlines)
                newlines &= newlines - one
            for line in each:
                last[found + uint64(line)] = eight_at(text, ends[found + uint64(line + 1)] - eight)
            for line in each:
                first[found + uint64(line)] = eight_at(text, ends[found + uint64(line)] + one)
            found += count
            at += all_64
        return found

    return find


def _convert() -> Any:
    """Compiled, (*scratch, room) -> are all lines usual? Then `room` has their numbers, one each.

    Digits are summed up beside each other: eight become four of two, then one. The millionths are an integer below
    10^14, exact as float64; times 1e-6 it gives the float32 that a division by 10^6 would, or float(): it is off by
    less than 2^-51 of itself, and no number of six decimals is so near to the middle between two float32, but those
    that are the middle. These are float64 themselves, and as 1e-6 is off by less than 2^-54, the product is exact.
    """
    from numba import float64, int64, njit, uint64

    pointed, digits = uint64(0x3030303030302E30), uint64(0x3030303030303030)  # the last eight: "0.000000"
    # Added to a byte they set its highest bit if it is more than nine; where the point is, more than zero.
    nine, nine_pointed = uint64(0x7676767676767676), uint64(0x7676767676767F76)
    highest, minus, low = uint64(0x8080808080808080), uint64(ord("-") ^ ord("0")), uint64(0xFF)
    each_pair, half, four = uint64(0x00FF00FF00FF00FF), uint64(0xFFFFFFFF), uint64(0xFFFF)
    one, three, eight, most = uint64(1), uint64(3), uint64(8), uint64(63)

    @njit(inline="always")
    def summed(digits: Any, hundred: Any) -> Any:
        pairs = ((digits << three) + (digits << one) + (digits >> eight)) & each_pair
        upper = ((pairs & half) * (one | hundred << uint64(16)) >> uint64(16)) & four
        lower = ((pairs >> uint64(32)) * (one | uint64(100) << uint64(16)) >> uint64(16)) & four
        return upper * uint64(10_000) + lower

    @njit(nogil=True, error_model="numpy")
    def convert(ends: Words, first: Words, last: Words, room: Floats) -> Any:
        wrong, longest = uint64(0), uint64(0)
        for line in range(len(room)):
            more = (
                ends[line + 1] - ends[line] - uint64(9)
            )  # bytes before the last eight; huge for a shorter line
            tail = last[line] ^ pointed
            head = first[line] ^ digits
            is_minus = (head & low) == minus
            head = head & ~low if is_minus else head
            head = (head << one) << (most - ((more << three) & most))  # what is behind those bytes goes
            longest |= more
            wrong |= tail | (tail + nine_pointed) | head | (head + nine)
            millions = summed(head, uint64(100)) * uint64(10_000_000)
            value = float64(int64(millions + summed(tail, uint64(10)))) * 1e-6
            room[line] = -value if is_minus else value
        return wrong & highest == uint64(0) and longest < eight

    return convert
