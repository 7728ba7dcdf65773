"""Any line that is one number as C's "%f" prints it: slower than usual.py, and what knows of everything else.

The grammar is an optional sign, digits, perhaps a point and digits; or nan and inf, which "%f" prints for values that
are none; and an end of line with or without a carriage return. Compiled when a file first holds such a line.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONGEST_LINE = 80  # the largest float32 has 39 digits before the point
EXACT_DIGITS = 18  # so many fit into 64 bits
LARGEST = 3.40282346639e38  # just above the largest float32
NEWLINE, MINUS, POINT, ZERO, NINE, RETURN = (int(code) for code in b"\n-.09\r")
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Parse = Callable[[Bytes, int, int, Floats], tuple[int, int]]


@cache
def any_lines() -> Parse:
    """The compiled parser: (text, begin, end, room) -> numbers found, and where the next line begins.

    text[begin:end] is whole lines. It stops at a line that is no number, and when `room` is full.
    """
    from numba import njit

    any_line = _any_line()

    @njit(nogil=True, error_model="numpy")
    def parse(text: Bytes, begin: int, end: int, room: Floats) -> Any:
        at, found = begin, 0
        while at < end and found < len(room):
            after = any_line(text, at, end, room, found)
            if after == at:
                break
            at, found = after, found + 1
        return found, at

    return parse


def _any_line() -> Any:
    """Compiled, (text, at, end, room, found) -> where the next line begins, or `at` when this one is no number."""
    from numba import njit

    newline, minus, point, zero, nine, cr = NEWLINE, MINUS, POINT, ZERO, NINE, RETURN
    nan, inf = np.frombuffer(b"nan", np.uint8), np.frombuffer(b"inf", np.uint8)
    powers = np.array([10.0**power for power in range(EXACT_DIGITS + 1)])

    @njit(nogil=True, error_model="numpy")
    def special(text: Bytes, place: int) -> float:
        is_nan, is_inf = True, True
        for offset in range(3):  # a line has at least its end behind `place`, and nothing is read beyond it
            if text[place + offset] != nan[offset]:
                is_nan = False
            if text[place + offset] != inf[offset]:
                is_inf = False
            if not (is_nan or is_inf):
                return 0.0
        return np.nan if is_nan else np.inf

    @njit(nogil=True, error_model="numpy")
    def magnitude(text: Bytes, place: int) -> Any:
        mantissa, kept, digits, decimals, value = np.uint64(0), 0, 0, 0, 0.0
        while zero <= text[place] <= nine:
            if digits < EXACT_DIGITS:
                mantissa = mantissa * np.uint64(10) + np.uint64(text[place] - zero)
                kept += 1
            else:
                value = (value if digits > EXACT_DIGITS else np.float64(mantissa)) * 10.0 + (
                    text[place] - zero
                )
            digits += 1
            place += 1
        if digits and text[place] == point:
            place += 1
            while zero <= text[place] <= nine:
                if kept < EXACT_DIGITS:
                    mantissa = mantissa * np.uint64(10) + np.uint64(text[place] - zero)
                    kept += 1
                    decimals += 1
                place += 1
        if digits <= EXACT_DIGITS:
            value = np.float64(mantissa) / powers[decimals]
        return value, digits, place

    @njit(nogil=True, error_model="numpy")
    def line(text: Bytes, at: int, end: int, room: Floats, found: int) -> int:
        place = at + 1 if text[at] == minus else at
        value, digits, after = magnitude(text, place)
        if digits == 0:
            value = special(text, place)
            if value == 0.0:
                return at
            after = place + 3
        elif value > LARGEST or after - place > LONGEST_LINE:
            return at
        if text[after] == cr:
            after += 1
        if after >= end or text[after] != newline:
            return at
        room[found] = -value if text[at] == minus else value
        return int(after) + 1

    return line
