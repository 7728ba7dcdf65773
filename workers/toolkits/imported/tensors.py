"""Tensor files of a vendor's dump: .npy, or text of one number a line; read one at a time, as float32."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.stored import Floats
from workers.errors import JobError
from workers.layerdump.numbers import read_numbers
from workers.toolkits.imported.damage import damaged

MAGIC = b"\x93NUMPY"
KINDS = "fiub"
MOST_VALUES = 2**31
CHUNK = 1 << 22
SHORTEST_LINE = 2
Shape = tuple[int, ...]


def is_array(path: Path) -> bool:
    """Does the file begin like an .npy?"""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def shape_of(path: Path, label: str) -> Shape:
    """The shape that an .npy states, the number of lines of a text. Raises Refused import:damaged."""
    return _mapped(path, label).shape if is_array(path) else (_lines(path, label),)


def read_tensor(path: Path, label: str, shape: Shape) -> Floats:
    """The file's values in `shape`. Raises Refused import:damaged for another number of values."""
    if is_array(path):
        array = _mapped(path, label)
        if array.size != math.prod(shape):
            raise damaged(f"{label} holds {array.size} values instead of {math.prod(shape)}")
        return np.ascontiguousarray(array, np.float32).reshape(shape)
    count = math.prod(shape)
    if not 0 < count < MOST_VALUES:
        raise damaged(f"{label} says it has {count} values")
    try:
        return read_numbers(path, count).reshape(shape)
    except JobError as error:
        raise damaged(error.detail.replace(path.name, label)) from error


def _mapped(path: Path, label: str) -> NDArray[Any]:
    """Never pickles; mapped, so that a header that lies about the size costs no memory."""
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError, OverflowError) as error:
        raise damaged(f"{label} is no array: {error}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in KINDS or not 0 < array.size < MOST_VALUES:
        raise damaged(f"{label} is no array of numbers")
    if array.ndim == 0 or array.ndim > 16:
        raise damaged(f"{label} has {array.ndim} dimensions")
    return array


def _lines(path: Path, label: str) -> int:
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            count += block.count(b"\n")
            last = block[-1:]
    if count == 0 and last == b"\n":
        raise damaged(f"{label} holds no numbers")
    return count + (last != b"\n")
