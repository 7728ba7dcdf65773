"""A .npy file while somebody may still be writing it: whether it is complete, and its values block by block."""

import math
import os
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

BLOCK = 1 << 18  # values, a megabyte
# cut short, no .npy at all, a version of the format that nobody writes, a header that is no Python
NO_HEADER = (ValueError, KeyError, EOFError, SyntaxError, tokenize.TokenError)
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@dataclass(frozen=True)
class Floats32:
    """A complete file of float32 in C order: its values have this shape and begin at the byte `start`."""

    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def complete_floats(path: Path) -> Floats32 | None:
    """What the file's header says, or None: a file that is shorter or longer than that, or of another kind.

    Raises OSError.
    """
    with path.open("rb") as file:
        try:
            shape, is_fortran, dtype = HEADERS[npy.read_magic(file)](file)
        except NO_HEADER:
            return None
        found = Floats32(tuple(shape), file.tell())
        whole = found.start + 4 * found.size == os.fstat(file.fileno()).st_size
    return found if whole and dtype == np.dtype("<f4") and not is_fortran else None


def blocks(path: Path, told: Floats32) -> Iterator[NDArray[np.float32]]:
    """The values in order, BLOCK at a time. Raises OSError; the last block is short where the file was cut."""
    with path.open("rb") as file:
        file.seek(told.start)
        for start in range(0, told.size, BLOCK):
            yield np.fromfile(file, "<f4", min(BLOCK, told.size - start))


def write_head(file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
    """Begin a file whose values, of `shape` in C order, come next."""
    head = {"shape": shape, "fortran_order": False, "descr": npy.dtype_to_descr(dtype)}
    npy.write_array_header_1_0(file, head)
