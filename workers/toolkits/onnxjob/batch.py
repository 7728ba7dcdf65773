"""Artifacts that take several samples at once (rknn_batch_size): the one sample of a dump stands in each place.

Every rung and the board then hold tensors of one shape.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.dumpfile import LayerInfo

Array = NDArray[Any]


def repeated(value: Array, batch: int) -> Array:
    """The tensor `batch` times along its first axis; a number alone stays one."""
    return np.repeat(value, batch, axis=0) if batch > 1 and value.ndim else value


def repeated_feed(feed: Mapping[str, Array], batch: int) -> dict[str, Array]:
    """What the artifact takes: every input `batch` times."""
    return {name: repeated(value, batch) for name, value in feed.items()}


def repeated_layers(layers: Sequence[LayerInfo], batch: int) -> list[LayerInfo]:
    """The layers with the shapes that `repeated` gives their tensors."""
    return [
        replace(layer, shape=(layer.shape[0] * batch, *layer.shape[1:])) if layer.shape else layer
        for layer in layers
    ]


def repeated_values(values: Iterable[Array], batch: int) -> Iterator[Array]:
    """The tensors of a dump, one at a time."""
    return (repeated(value, batch) for value in values)
