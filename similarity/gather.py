"""Reorderings of a tensor that can be tried on single elements before anything is moved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.stored import Floats, StoredTensor

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Step:
    """View as `split`, transpose by `order`, then reverse axis `flip` and cut axis `crop` to `length`."""

    split: tuple[int, ...]
    order: tuple[int, ...]
    flip: int | None = None
    crop: int | None = None
    length: int = 0

    def view(self, array: NDArray[Any]) -> NDArray[Any]:
        result = array.reshape(self.split).transpose(self.order)
        if self.flip is not None:
            result = np.flip(result, self.flip)
        if self.crop is not None:
            result = result[(slice(None),) * self.crop + (slice(0, self.length),)]
        return result

    def origin(self, positions: Positions) -> Positions:
        """Where the elements at flat `positions` of the result come from, as flat positions of the input."""
        shape = [self.split[axis] for axis in self.order]
        if self.crop is not None:
            shape[self.crop] = self.length
        index = list(np.unravel_index(positions, shape))
        if self.flip is not None:
            index[self.flip] = shape[self.flip] - 1 - index[self.flip]
        before = [index[self.order.index(axis)] for axis in range(len(self.split))]
        strides = [math.prod(self.split[axis + 1 :]) for axis in range(len(self.split))]
        origin = np.zeros(len(positions), np.int64)
        for part, stride in zip(before, strides, strict=True):
            origin += part * stride
        return origin


@dataclass(frozen=True)
class Gather:
    """Steps done one after the other; none at all reads the tensor in order."""

    steps: tuple[Step, ...] = ()

    def apply(self, tensor: StoredTensor) -> StoredTensor:
        """The rearranged tensor as one row (one copy, or two where two steps need it)."""
        array = tensor.array
        for step in self.steps:
            array = step.view(array)
        return StoredTensor(np.ascontiguousarray(array).reshape(-1), tensor.scale, tensor.zero_point)

    def sample(self, tensor: StoredTensor, positions: Positions) -> Floats:
        """The values at flat `positions` of the rearranged tensor, without rearranging it."""
        for step in reversed(self.steps):
            positions = step.origin(positions)
        picked = tensor.flat().array[positions]
        return StoredTensor(picked, tensor.scale, tensor.zero_point).floats()
