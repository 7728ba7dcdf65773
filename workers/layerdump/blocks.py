"""A file of one number a line, in blocks that can be read and parsed without knowing of each other.

A block is the lines that begin in its part of the file.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np

from workers.layerdump.damage import bad
from workers.layerdump.unusual import LONGEST_LINE, any_lines
from workers.layerdump.usual import BEFORE, BEHIND, LINES, Floats, scratch, usual_lines

BLOCK = 1024 * 1024
OVERLAP = LONGEST_LINE + 3  # a line that begins with the last byte: also a sign, and both marks of its end
SHORTEST_LINE = 2  # a digit and the end of the line
MOST_NUMBERS = (BLOCK + OVERLAP) // SHORTEST_LINE  # in a block
PAGE = mmap.ALLOCATIONGRANULARITY
NEWLINE = ord("\n")
Text = bytearray | mmap.mmap


class Blocks:
    """Reads and parses one block after the other, in any order. Each thread needs one of its own."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self.descriptor, self.name = descriptor, path.name
        self.size = os.fstat(descriptor).st_size
        self.count = -(-self.size // BLOCK)
        self._scratch = scratch()
        self._usual = usual_lines()

    def read(self, number: int, room: Floats) -> int:
        """Put the numbers of the block into `room`; how many there are. Raises "board:bad-answer"."""
        text, begin, end = self._lines(number)
        array, at, found = np.frombuffer(text, np.uint8), begin, 0
        while at < end:
            more, at = self._usual(array, at, end, room[found:], *self._scratch)
            found += more
            if at < end:
                more, at = any_lines()(array, at, end, room[found : found + LINES])
                found += more
                if more == 0:
                    raise self._damage(bytes(text[at : min(at + 40, end)]), is_full=found == room.size)
        return found

    def _damage(self, found: bytes, *, is_full: bool) -> Exception:
        if is_full:
            return bad(f"{self.name} holds more numbers than it should")
        return bad(f"{self.name} holds {found!r} where a number should be")

    def _lines(self, number: int) -> tuple[Text, int, int]:
        """A text that holds the block, and where in it the block's lines begin and end."""
        start = max(number * BLOCK - 1, 0)  # the byte before tells whether a line begins with the block
        stop = min((number + 1) * BLOCK + OVERLAP, self.size)
        is_inside = number > 0 and stop + BEHIND <= self.size
        text, place = self._mapped(start, stop) if is_inside else self._copied(start, stop)
        filled, edge = place + stop - start, place + (number + 1) * BLOCK - start
        if stop == self.size and text[filled - 1] != NEWLINE:
            filled += 1  # the last line lacks its end, which _copied put there
        begin = self._behind_newline(text, place, filled) if number else place
        if edge < filled:
            return text, begin, self._behind_newline(text, edge - 1, filled)
        return text, begin, filled

    def _mapped(self, start: int, stop: int) -> tuple[Text, int]:
        """Without a copy, which would take half as long as parsing does."""
        offset = start - start % PAGE
        flags, length = mmap.MAP_SHARED | mmap.MAP_POPULATE, stop + BEHIND - offset
        return mmap.mmap(self.descriptor, length, flags, mmap.PROT_READ, offset=offset), start - offset

    def _copied(self, start: int, stop: int) -> tuple[Text, int]:
        """At the ends of the file, where the parser needs more bytes around the lines than there are."""
        text = bytearray(BEFORE + stop - start + 1 + BEHIND)
        view, filled = memoryview(text)[BEFORE : BEFORE + stop - start], 0
        while more := os.preadv(self.descriptor, [view[filled:]], start + filled):
            filled += more
        text[BEFORE + filled] = NEWLINE
        return text, BEFORE

    def _behind_newline(self, text: Text, place: int, filled: int) -> int:
        behind = text.find(b"\n", place, min(place + OVERLAP, filled)) + 1
        if behind == 0 and place + OVERLAP <= filled:
            raise bad(f"{self.name} holds a line of more than {LONGEST_LINE} characters")
        return behind or filled
