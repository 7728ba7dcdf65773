"""Small dumps shaped like the forum's network, by its two routes, with faults to order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.dumpfile import DumpFile, LayerInfo, layer_of, write_dump

Floats = NDArray[np.float32]
Rows = list[tuple[LayerInfo, Floats]]

HEIGHT, WIDTH, CHANNELS, BLOCK = 30, 20, 16, 4


def smooth(rng: np.random.Generator, *shape: int) -> Floats:
    """Noise with neighbours that resemble each other, as in pictures."""
    noise = rng.standard_normal(shape).astype(np.float32)
    return ((noise + np.roll(noise, 1, -1) + np.roll(noise, 1, -2)) / 2).astype(np.float32)


def body(prefix: str, names: tuple[str, str]) -> Rows:
    """Six convolutions with a PReLU after each but the last, which has 3 x 4 x 4 channels."""
    rng = np.random.default_rng(7)
    rows: Rows = []
    for index in range(6):
        channels = CHANNELS if index < 5 else 3 * BLOCK * BLOCK
        conv = smooth(rng, 1, channels, HEIGHT, WIDTH)
        rows.append((chained(rows, conv, f"{prefix}conv{index}", names[0]), conv))
        if index < 5:
            prelu = np.where(conv > 0, conv, np.float32(0.2) * conv)
            rows.append((chained(rows, prelu, f"{prefix}prelu{index}", names[1]), prelu))
    return rows


def chained(rows: Rows, array: Floats, key: str, op: str, *more: str) -> LayerInfo:
    feeds = (rows[-1][0].key,) if rows else ()
    return layer_of(array, key, op, inputs=(*feeds, *more))


def upsampled() -> Floats:
    return smooth(np.random.default_rng(8), 1, 3, HEIGHT * BLOCK, WIDTH * BLOCK) * 3


def ending(rows: Rows, prefix: str, key: str, op: str, shuffled: Floats, add_op: str) -> Rows:
    resized = upsampled()
    rows.append((chained(rows, shuffled, f"{prefix}{key}", op), shuffled))
    rows.append((layer_of(resized, f"{prefix}resize", "Resize"), resized))
    total = shuffled + resized
    info = layer_of(total, f"{prefix}add", add_op, inputs=(f"{prefix}{key}", f"{prefix}resize"))
    return [*rows, (info, total)]


def direct_route() -> Rows:
    """The shuffle is one DepthToSpace: 14 layers."""
    rows = body("d/", ("Conv", "PRelu"))
    return ending(rows, "d/", "depth_to_space", "DepthToSpace", shuffle(rows[-1][1]), "Add")


def traced_route(order: tuple[int, ...] = (0, 1, 4, 2, 5, 3)) -> Rows:
    """The shuffle is Reshape, a six-dimensional Transpose and Reshape: 16 layers. `order` is what it transposes by."""
    rows = body("t/", ("convolution", "prelu"))
    split = rows[-1][1].reshape(1, 3, BLOCK, BLOCK, HEIGHT, WIDTH)
    rows.append((chained(rows, split, "t/reshape_0", "Reshape"), split))
    right = (1, 3, HEIGHT, BLOCK, WIDTH, BLOCK)
    turned = np.ascontiguousarray(split.transpose(order)).reshape(right)
    rows.append((chained(rows, turned, "t/permute_1", "Transpose"), turned))
    return ending(
        rows, "t/", "reshape_1", "Reshape", turned.reshape(1, 3, HEIGHT * BLOCK, WIDTH * BLOCK), "add"
    )


def shuffle(x: Floats) -> Floats:
    split = x.reshape(1, 3, BLOCK, BLOCK, HEIGHT, WIDTH).transpose(0, 1, 4, 2, 5, 3)
    return np.ascontiguousarray(split).reshape(1, 3, HEIGHT * BLOCK, WIDTH * BLOCK)


def noisy(rows: Rows, amount: float, seed: int = 3) -> Rows:
    """The same layers with noise of `amount` standard deviations: what rounding does."""
    rng = np.random.default_rng(seed)
    return [
        (info, array + (amount * array.std() * rng.standard_normal(array.shape)).astype(np.float32))
        for info, array in rows
    ]


def replaced(rows: Rows, key: str, array: Floats) -> Rows:
    return [(info, array if info.key == key else old) for info, old in rows]


def value_of(rows: Rows, key: str) -> Floats:
    return next(array for info, array in rows if info.key == key)


def dump(folder: Path, rung: str, rows: Rows, **fields: Any) -> DumpFile:
    """Write `rows` as a real dump and open it."""
    path = folder / f"{rung}-{len(list(folder.iterdir()))}"
    write_dump(path, rung, [info for info, _ in rows], [array for _, array in rows], **fields)
    return DumpFile.open(path)
