"""One dump/1 of the layer files that a board's runtime left, with never more than one layer in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.dumpfile import DumpFile, LayerInfo, Layout, write_dump
from similarity.stored import Floats
from workers.layerdump import names as naming
from workers.layerdump.damage import bad
from workers.layerdump.listing import Layer, layers_of
from workers.layerdump.numbers import read_numbers
from workers.layerdump.order import Found, Sides, order_of, settled

FILE = "board-layers.safetensors"
ARRAY_KINDS = "fiub"


@dataclass(frozen=True)
class Read:
    """A layer that has been read: its values lie in `file` as they came."""

    layer: Layer
    reference: LayerInfo | None
    found: Found
    file: Path


def assemble(
    folder: Path, listed: Mapping[str, Any], reference: Path | None = None, *, simulated: bool = False
) -> Path:
    """The dump/1 of rung "board", in `folder`, made of the files that `listed` names ({"files": .., "names": ..}).

    `reference` is the quantized graph's dump of the same artifact and sample: it gives layers their keys and decides
    the order of their values. Without it keys come from the runtime's names, and the layout is unknown (""). The
    vendor's files are deleted once they are read. Raises "board:bad-answer".
    """
    layers = layers_of(folder, listed)
    target = folder / FILE
    with TemporaryDirectory(dir=folder, prefix="layers-") as scratch:
        if reference is None:
            _write(target, _read_all(layers, [None] * len(layers), None, Path(scratch)), (), simulated)
        else:
            with DumpFile.open(reference) as dump:
                matched = naming.match([layer.name for layer in layers], dump.layers)
                _write(target, _read_all(layers, matched, dump, Path(scratch)), dump.layers, simulated)
    return target


def _read_all(
    layers: list[Layer], matched: list[LayerInfo | None], dump: DumpFile | None, scratch: Path
) -> list[Read]:
    """Text is read once: the values wait in a file of their own until the order of all layers is known."""
    read = []
    for number, (layer, info) in enumerate(zip(layers, matched, strict=True)):
        values, sides = _values(layer)
        tensor = dump.tensor(info.key) if dump is not None and info is not None else None
        file = scratch / f"{number}.raw"
        values.tofile(file)
        read.append(Read(layer, info, order_of(sides, values, info, tensor), file))
        for path in layer.files:
            path.unlink(missing_ok=True)
    return read


def _values(layer: Layer) -> tuple[Floats, Sides]:
    """All values of a layer in the order of its files, and (n, d, h, w)."""
    if layer.sides is None:
        return _array(layer.files[0])
    count = math.prod(layer.sides[1:])
    pieces = [read_numbers(path, count) for path in layer.files]
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces), layer.sides


def _array(path: Path) -> tuple[Floats, Sides]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError, OverflowError) as error:
        raise bad(f"{path.name} is no array: {error}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in ARRAY_KINDS or not 0 < array.size < 2**31:
        raise bad(f"{path.name} is no array of numbers")
    sides = array.shape if array.ndim == 4 else (1, 1, 1, array.size)
    return np.ascontiguousarray(array, np.float32).reshape(-1), (sides[0], sides[1], sides[2], sides[3])


def _write(target: Path, read: list[Read], layers: tuple[LayerInfo, ...], simulated: bool) -> None:
    common = settled([one.found for one in read])
    keys = naming.keys_of([one.layer.name for one in read], layers)
    infos = [_info(one, key, common) for one, key in zip(read, keys, strict=True)]
    try:
        write_dump(
            target, "board", infos, _stream(read, infos), dtypes=["F32"] * len(infos), simulated=simulated
        )
    except ValueError as error:
        raise bad(str(error)) from error


def _info(one: Read, key: str, common: Layout) -> LayerInfo:
    shape, layout = _presentation(one, common)
    known = one.reference
    return LayerInfo(
        key=key,
        name=one.layer.name,
        op=known.op if known else one.layer.op,
        shape=shape,
        layout=layout,
        inputs=known.inputs if known else (),
        sources=known.sources if known else (),
    )


def _presentation(one: Read, common: Layout) -> tuple[tuple[int, ...], Layout]:
    """Shape and layout under which the values in the file are what they are."""
    n, d, h, w = one.found.sides
    same_size = one.reference is not None and one.reference.size == math.prod(one.found.sides)
    if one.reference is not None and same_size and one.found.order in ("either", "as reference"):
        return one.reference.shape, one.reference.layout
    layout: Layout = common if one.found.order == "unknown" else ""
    if one.found.order in ("NCHW", "NHWC"):
        layout = "NCHW" if one.found.order == "NCHW" else "NHWC"
    return ((n, h, w, d) if layout == "NHWC" else (n, d, h, w)), layout


def _stream(read: list[Read], infos: list[LayerInfo]) -> Iterator[NDArray[Any]]:
    for one, info in zip(read, infos, strict=True):
        yield np.memmap(one.file, np.float32, "r", shape=info.shape)
