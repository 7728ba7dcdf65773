"""The narrowest type that gives a tensor of the simulation back bit by bit: integers on its grid, else float16.

The toolkit computes the values of a quantized tensor as (q - zero_point) * scale in float32, as similarity.stored reads
integers, and rounds those of a float16 tensor to float16 (seen with 2.5.0). Tensors inside a fused operation lie on no
grid. Nothing is taken on trust: what is written is read back and must be the same bits, or the file stays as it is.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.stored import StoredTensor
from workers.toolkits.rknn2job.npyfile import Floats32, blocks, write_head
from workers.toolkits.rknn2job.snapshot import Scale

INTEGERS = (np.dtype("i1"), np.dtype("u1"), np.dtype("<i2"))
HALF = np.dtype("<f2")


class NotExact(Exception):
    """The type does not give these values back."""


def narrowed(source: Path, told: Floats32, target: Path, how: Scale | None) -> bool:
    """Write the values of `source` to the .npy file `target` as integers by `how`, or as float16, and say whether one
    of them gives every bit back; if not there is no `target`. Memory is that of some blocks. Raises OSError.
    """
    return any(_written(source, told, target, grid) for grid in ((how, None) if how else (None,)))


def widened(path: Path, how: Scale | None) -> NDArray[np.float32]:
    """The float32 values of a file that `narrowed` wrote. Raises OSError."""
    return _read(np.load(path, allow_pickle=False), how)


def _written(source: Path, told: Floats32, target: Path, grid: Scale | None) -> bool:
    dtype = integers_of(grid) if grid else HALF
    if dtype is None:
        return False
    try:
        with target.open("wb") as file:
            write_head(file, told.shape, dtype)
            for block in _exact(blocks(source, told), dtype, grid):
                file.write(block.data)
    except NotExact:
        target.unlink()
        return False
    except OSError:
        target.unlink(missing_ok=True)
        raise
    return True


def integers_of(grid: Scale) -> np.dtype[Any] | None:
    """The smallest type that holds the grid's steps."""
    fitting = (
        kind for kind in INTEGERS if np.iinfo(kind).min <= grid.qmin and grid.qmax <= np.iinfo(kind).max
    )
    return next(fitting, None)


def _exact(
    values: Iterator[NDArray[np.float32]], dtype: np.dtype[Any], grid: Scale | None
) -> Iterator[NDArray[Any]]:
    for block in values:
        stored = _stored(block, dtype, grid)
        if not np.array_equal(_read(stored, grid).view(np.uint32), block.view(np.uint32)):
            raise NotExact
        yield stored


def _stored(block: NDArray[np.float32], dtype: np.dtype[Any], grid: Scale | None) -> NDArray[Any]:
    with np.errstate(all="ignore"):  # what does not fit is found by reading it back
        if grid is None:
            return block.astype(dtype)
        steps = np.rint(block / np.float32(grid.scale)) + np.float32(grid.zero_point)
        kept: NDArray[Any] = np.clip(steps, grid.qmin, grid.qmax).astype(dtype)
        return kept


def _read(stored: NDArray[Any], grid: Scale | None) -> NDArray[np.float32]:
    if grid is None or stored.dtype.kind == "f":
        return StoredTensor(stored).floats()
    return StoredTensor(stored, grid.scale, grid.zero_point).floats()
