"""Text of one number a line, as C's "%f" prints it: twenty times as fast as numpy.loadtxt by two processors, and about
fifteen times by one (tests/bench/bench_layerdump.py).

The grammar is that and nothing else (unusual.py); anything else is damage. Nearly all lines are of one kind (usual.py).
What each number becomes is what float() makes of it, rounded to float32. numba compiles before the first use, in about
a second; nothing of that is kept for the next process, because numba keeps it as pickles.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from workers.layerdump.blocks import MOST_NUMBERS, SHORTEST_LINE, Blocks
from workers.layerdump.damage import bad
from workers.layerdump.usual import Floats

WORTH_A_THREAD = 4  # blocks: fewer are done before one has begun


def read_numbers(path: Path, count: int) -> Floats:
    """The `count` numbers in the file at `path`. Raises "board:bad-answer" for other content or another count."""
    if count * SHORTEST_LINE > path.stat().st_size + 1:
        raise bad(f"{path.name} is too short for {count} numbers")
    values: Floats = np.empty(count, np.float32)
    with path.open("rb", buffering=0) as file:
        found = _Filling(file.fileno(), path, values).fill()
    if found != count:
        raise bad(f"{path.name} holds {found} numbers instead of {count}")
    return values


class _Filling:
    """Fills `values` from both of its ends: nobody knows where in it the numbers of a block in the middle belong.

    Each side takes the next block that nobody has. From the front the numbers go to their place at once, from the back
    when the block is done, and it is known how many they are.
    """

    def __init__(self, descriptor: int, path: Path, values: Floats) -> None:
        self.descriptor, self.path, self.values = descriptor, path, values
        self._waiting: deque[int] = deque()

    def fill(self) -> int:
        """How many numbers there are, at most one block more than there is room for. Raises "board:bad-answer"."""
        blocks = Blocks(self.descriptor, self.path)
        self._waiting.extend(range(blocks.count))
        if blocks.count < WORTH_A_THREAD:
            return self._forwards(blocks)
        with ThreadPoolExecutor(1, thread_name_prefix="numbers") as thread:
            behind = thread.submit(self._backwards, Blocks(self.descriptor, self.path))
            return self._forwards(blocks) + behind.result()

    def _forwards(self, blocks: Blocks) -> int:
        done = 0
        for number in self._taken(self._waiting.popleft):
            done += blocks.read(number, self.values[done:])
        return done

    def _backwards(self, blocks: Blocks) -> int:
        left, room = self.values.size, np.empty(MOST_NUMBERS, np.float32)
        for number in self._taken(self._waiting.pop):
            found = blocks.read(number, room)
            if found > left:
                return self.values.size + 1
            left -= found
            self.values[left : left + found] = room[:found]
        return self.values.size - left

    def _taken(self, take: Callable[[], int]) -> Iterator[int]:
        try:
            while True:
                yield take()
        except IndexError:
            return
        finally:
            self._waiting.clear()  # all are taken; or this one has met damage, and the other side may stop
