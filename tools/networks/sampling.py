"""Samples for a network's inputs, made up by a seeded generator: they measure no accuracy, only that it works."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.networks.listed import Sizes, Span

CALIBRATION, EVALUATION = 4, 1
UNSAID = 64  # an open size that nobody names


def sizes_of(inputs: Sequence[Mapping[str, Any]], told: Mapping[str, Sizes]) -> dict[str, Sizes]:
    """Sizes for the inputs that the file leaves open: as `told`, else batch 1 and 64 for the rest."""
    found = {}
    for one in inputs:
        shape, name = one["shape"], one["name"]
        if name in told and (shape is None or not _is_fixed(shape)):
            found[name] = tuple(told[name])
        elif shape is not None and not _is_fixed(shape):
            found[name] = tuple(_size(size, place) for place, size in enumerate(shape))
    return found


def _is_fixed(shape: Sequence[Any]) -> bool:
    return all(isinstance(size, int) and size > 0 for size in shape)


def _size(size: Any, place: int) -> int:
    if isinstance(size, int) and size > 0:
        return size
    return 1 if place == 0 else UNSAID


def archive(
    inputs: Sequence[Mapping[str, Any]],
    sizes: Mapping[str, Sizes],
    spans: Mapping[str, Span],
    count: int,
    seed: int,
) -> bytes:
    """A zip of `count` .npz, as an engineer would upload it for a network with these inputs."""
    generator = np.random.default_rng(seed)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for number in range(count):
            sample = io.BytesIO()
            arrays = {one["name"]: _array(one, sizes, spans, generator) for one in inputs}
            np.savez(sample, **arrays)  # type: ignore[arg-type]
            file.writestr(f"{number:03d}.npz", sample.getvalue())
    return packed.getvalue()


def _array(
    one: Mapping[str, Any],
    sizes: Mapping[str, Sizes],
    spans: Mapping[str, Span],
    generator: np.random.Generator,
) -> NDArray[Any]:
    shape = sizes.get(one["name"], tuple(one["shape"] or ()))
    dtype = np.dtype(one["dtype"] if one["dtype"] not in ("other", "") else "float32")
    low, high = spans.get(one["name"], (0.0, 1.0))
    drawn = generator.uniform(low, high, shape)
    if dtype.kind in "iub":
        return np.asarray(np.rint(drawn), dtype)
    return np.asarray(drawn, dtype)
