"""Tensor files: safetensors read without trust and without copies, and written by streaming.

A file is a little-endian uint64 header length, a JSON header and raw little-endian bytes. Boards, toolkits
and people make these files, so every number of the header is checked before the first byte of data is
believed.
"""

from __future__ import annotations

import json
import math
import mmap
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

HEADER_LIMIT = 64 * 1024 * 1024
NAME_LIMIT = 4096
RANK_LIMIT = 32
DATA_ALIGNMENT = 64
MOVED_AT_ONCE = 1 << 20

DTYPES: Mapping[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
CODES: Mapping[np.dtype[Any], str] = {dtype: code for code, dtype in DTYPES.items()}


class DamagedFile(ValueError):
    """The file is not what it says it is; the text is a sentence for the person who made it."""


@dataclass(frozen=True)
class TensorSpec:
    """One tensor of a file: `dtype` is a code of DTYPES, `start` and `stop` are bytes after the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int = 0
    stop: int = 0

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * DTYPES[self.dtype].itemsize


class TensorFile:
    """An open tensor file; its arrays are read-only views of the mapped file and may outlive it."""

    def __init__(
        self, mapped: mmap.mmap, data_start: int, metadata: dict[str, str], specs: dict[str, TensorSpec]
    ) -> None:
        self._mapped = mapped
        self.data_start = data_start
        self.metadata: Mapping[str, str] = metadata
        self.specs: Mapping[str, TensorSpec] = specs

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Map the file at `path`. Raises DamagedFile, or OSError when it cannot be opened."""
        with Path(path).open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            length = _header_length(stream.read(8), size)
            metadata, specs = _parse_header(stream.read(length), size - 8 - length)
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        return cls(mapped, 8 + length, metadata, specs)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.specs)

    def array(self, name: str) -> NDArray[Any]:
        """The tensor called `name` as stored: no copy unless its bytes are not aligned. Raises KeyError."""
        spec = self.specs[name]
        dtype = DTYPES[spec.dtype]
        flat: NDArray[Any] = np.frombuffer(
            self._mapped, dtype=dtype, count=math.prod(spec.shape), offset=self.data_start + spec.start
        )
        if not flat.flags.aligned:
            flat = flat.copy()
        return flat.reshape(spec.shape)

    def forget(self) -> None:
        """Leave to the kernel what has been read so far: the process's memory then holds what is read next only."""
        self._mapped.madvise(mmap.MADV_DONTNEED)

    def close(self) -> None:
        """Give the mapping back now, or with the last array that still looks into it."""
        try:
            self._mapped.close()
        except BufferError:
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]
) -> None:
    """Write `tensors` and `metadata` to `path`. Raises ValueError for a dtype without a code."""
    specs = [TensorSpec(name, dtype_code(array.dtype), array.shape) for name, array in tensors.items()]
    stream_tensors(path, specs, metadata, tensors.values())


def stream_tensors(
    path: str | os.PathLike[str],
    specs: Iterable[TensorSpec],
    metadata: Mapping[str, str],
    arrays: Iterable[NDArray[Any]],
) -> None:
    """Write a file whose `specs` are known beforehand while `arrays` come one at a time, in the same order.

    Raises ValueError when an array is not what its spec announced, or when there are too few or too many.
    """
    placed = _place(list(specs))
    header = _encode_header(placed, metadata)
    with Path(path).open("wb") as stream:
        stream.write(header)
        for spec, array in zip(placed, arrays, strict=True):
            stream.seek(len(header) + spec.start)
            stream.write(_checked(spec, array).data if spec.nbytes else b"")
        stream.truncate(len(header) + sum(spec.nbytes for spec in placed))


def rename_tensors(
    path: str | os.PathLike[str], names: Mapping[str, str], metadata: Mapping[str, str]
) -> None:
    """Give the tensors of the file at `path` the names that `names` maps theirs to, and the file new metadata.

    That is done in place: bytes are moved only where the new header is longer, and what breaks off in the middle leaves
    a damaged file. Raises DamagedFile, KeyError for a tensor without a new name, ValueError.
    """
    with TensorFile.open(path) as old:
        specs = [replace(spec, name=names[name]) for name, spec in old.specs.items()]
        start = old.data_start
    if len({spec.name for spec in specs}) != len(specs):
        raise ValueError("two tensors cannot have one name")
    header = _encode_header(specs, metadata, least=start)
    with Path(path).open("r+b") as stream:
        _move_end(stream, start, len(header) - start)
        stream.seek(0)
        stream.write(header)


def dtype_code(dtype: np.dtype[Any]) -> str:
    """The code of `dtype` in a header. Raises ValueError when there is none."""
    code = CODES.get(dtype.newbyteorder("<"))
    if code is None:
        raise ValueError(f"tensor files cannot hold {dtype}")
    return code


def parse_json(text: str | bytes, what: str) -> Any:
    """Parse untrusted JSON: no duplicate keys, no NaN, bounded depth. Raises DamagedFile naming `what`."""
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant)
    except DamagedFile:
        raise
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"{what} is not valid JSON.") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise DamagedFile("The header names something twice.")
    return result


def _refuse_constant(text: str) -> Any:
    raise DamagedFile(f"The header holds {text}, which is not JSON.")


def _header_length(prefix: bytes, size: int) -> int:
    if len(prefix) < 8:
        raise DamagedFile("The file is too short to be a tensor file.")
    length = int.from_bytes(prefix, "little")
    if length > min(HEADER_LIMIT, size - 8):
        raise DamagedFile("The header is longer than the file or 64 MB: truncated, or no tensor file.")
    return length


def _parse_header(raw: bytes, data_bytes: int) -> tuple[dict[str, str], dict[str, TensorSpec]]:
    header = parse_json(raw, "The header")
    if not isinstance(header, dict):
        raise DamagedFile("The header is not a JSON object.")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise DamagedFile("The header's metadata is not a map of strings.")
    specs = {name: _parse_spec(name, entry) for name, entry in header.items()}
    _check_layout(specs.values(), data_bytes)
    return metadata, specs


def _parse_spec(name: str, entry: Any) -> TensorSpec:
    check_name(name)
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise DamagedFile(f"Tensor {name!r} is not described by dtype, shape and data_offsets.")
    shape, offsets, dtype = entry["shape"], entry["data_offsets"], entry["dtype"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise DamagedFile(f"Tensor {name!r} has an unknown type.")
    # NumPy counts in int64 even where a zero makes the product small.
    if not _are_sizes(shape) or len(shape) > RANK_LIMIT or math.prod(max(1, size) for size in shape) > 2**56:
        raise DamagedFile(f"Tensor {name!r} has a shape that is not a list of sizes.")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise DamagedFile(f"Tensor {name!r} has offsets that are not two positions.")
    spec = TensorSpec(name, dtype, tuple(shape), offsets[0], offsets[1])
    if spec.stop - spec.start != spec.nbytes:
        raise DamagedFile(
            f"Tensor {name!r} has {spec.stop - spec.start} bytes where its shape needs {spec.nbytes}."
        )
    return spec


def check_name(name: str) -> None:
    """Raises DamagedFile unless `name` is a printable name of a sane length."""
    if len(name) > NAME_LIMIT or not (name.isprintable() or name == ""):
        raise DamagedFile("A tensor's name is too long or has characters that cannot be printed.")


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**63 for value in values)


def _check_layout(specs: Iterable[TensorSpec], data_bytes: int) -> None:
    """The tensors must tile the data exactly: overlaps, holes and missing bytes are all signs of damage."""
    position = 0
    for spec in sorted(specs, key=lambda spec: (spec.start, spec.stop)):
        if spec.stop > data_bytes:
            raise DamagedFile(f"Tensor {spec.name!r} ends outside the file: the file is truncated.")
        if spec.start != position:
            raise DamagedFile(f"Tensor {spec.name!r} overlaps another one or leaves a hole before it.")
        position = spec.stop
    if position != data_bytes:
        raise DamagedFile("The file goes on after its last tensor.")


def _place(specs: list[TensorSpec]) -> list[TensorSpec]:
    """Give every tensor its place: widest types first, so that all of them are aligned."""
    starts: dict[str, int] = {}
    position = 0
    for spec in sorted(specs, key=lambda spec: -DTYPES[spec.dtype].itemsize):
        check_name(spec.name)
        if spec.name in starts or spec.name == "__metadata__":
            raise ValueError(f"a tensor cannot be called {spec.name!r} here")
        starts[spec.name] = position
        position += spec.nbytes
    return [
        TensorSpec(spec.name, spec.dtype, spec.shape, starts[spec.name], starts[spec.name] + spec.nbytes)
        for spec in specs
    ]


def _encode_header(specs: list[TensorSpec], metadata: Mapping[str, str], least: int = 0) -> bytes:
    """The file's beginning, `least` bytes of it at least."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    for spec in specs:
        offsets = [spec.start, spec.stop]
        header[spec.name] = {"dtype": spec.dtype, "shape": list(spec.shape), "data_offsets": offsets}
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    length = 8 + len(text)
    text += b" " * max(-length % DATA_ALIGNMENT, least - length)
    if len(text) > HEADER_LIMIT:
        raise ValueError("the header would be longer than 64 MB")
    return len(text).to_bytes(8, "little") + text


def _move_end(stream: BinaryIO, start: int, by: int) -> None:
    """Move all bytes from `start` on towards the end, the last ones first."""
    stop = stream.seek(0, os.SEEK_END)
    while by and stop > start:
        begin = max(start, stop - MOVED_AT_ONCE)
        stream.seek(begin)
        moved = stream.read(stop - begin)
        stream.seek(begin + by)
        stream.write(moved)
        stop = begin


def _checked(spec: TensorSpec, array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.shape != spec.shape or dtype_code(array.dtype) != spec.dtype:
        raise ValueError(f"tensor {spec.name!r} is not what was announced")
    little: NDArray[Any] = np.ascontiguousarray(array, dtype=DTYPES[spec.dtype])
    return little.reshape(-1).view(np.uint8)
