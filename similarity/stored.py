"""A tensor as it is stored, and how to read it as float32 a block at a time, never copying a layer whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """`array` in its own type; real values are `(array - zero_point) * scale` where a scale is given."""

    array: NDArray[Any]
    scale: float | None = None
    zero_point: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def size(self) -> int:
        return self.array.size

    def flat(self) -> StoredTensor:
        """The same tensor as one row in C order; a view when the array is contiguous."""
        return StoredTensor(np.ascontiguousarray(self.array).reshape(-1), self.scale, self.zero_point)

    def floats(self) -> Floats:
        """All values as float32: the array itself when it is float32 already, else a new one."""
        if self.array.dtype == np.float32:
            return self.array
        result = np.empty(self.array.shape, np.float32)
        self._convert(self.array, result)
        return result

    def block(self, start: int, stop: int, buffer: Floats) -> Floats:
        """Values `start` to `stop` of a flat tensor: a view when float32, else written into `buffer`."""
        part = self.array[start:stop]
        if part.dtype == np.float32:
            return part
        target = buffer[: stop - start]
        self._convert(part, target)
        return target

    def _convert(self, part: NDArray[Any], target: Floats) -> None:
        np.copyto(target, part, casting="unsafe")
        if self.scale is not None:
            # Subtracting before scaling is exact for every 8 and 16 bit integer; a fused bias would not be.
            np.subtract(target, np.float32(self.zero_point), out=target)
            np.multiply(target, np.float32(self.scale), out=target)


def stored(tensor: NDArray[Any] | StoredTensor) -> StoredTensor:
    """`tensor` as a StoredTensor; a plain array has no scale."""
    return tensor if isinstance(tensor, StoredTensor) else StoredTensor(np.asarray(tensor))
