"""safetensors files with the standard library, read and written as a stream.

Layout: uint64 header length (little-endian), the JSON header, the raw little-endian data. An entry is
{"dtype", "shape", "data_offsets": [begin, end]} relative to the end of the header; "__metadata__" maps
strings to strings.
"""

import json
import os
import struct
from typing import IO, Any, Dict, Iterator, Optional, Sequence, Tuple

SIZES = {"BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
         "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8}  # fmt: skip
MAX_HEADER = 64 * 1024 * 1024
BLOCK = 1024 * 1024
Tensor = Tuple[str, str, Sequence[int], Any]  # name, dtype, shape, bytes-like or an iterable of it
Entry = Tuple[str, Tuple[int, ...], int, int]  # dtype, shape, first byte, end


class BadTensorFile(ValueError):
    """The file is truncated, or its header does not describe its bytes."""


def byte_count(dtype: str, shape: Sequence[int]) -> int:
    """Bytes of a tensor; BadTensorFile for an unknown dtype or a shape that is none."""
    if dtype not in SIZES:
        raise BadTensorFile("unknown dtype {!r}".format(dtype))
    count = SIZES[dtype]
    for side in shape:
        if not isinstance(side, int) or isinstance(side, bool) or side < 0:
            raise BadTensorFile("shape {!r} is not one".format(shape))
        count *= side
    return count


def write(path: str, tensors: Sequence[Tensor], metadata: Optional[Dict[str, str]] = None) -> None:
    """Write `tensors` (name, dtype, shape, data) to `path`; the file appears complete or not at all.

    `data` is bytes-like or an iterable of it. BadTensorFile when its length is not the shape's.
    """
    header = {"__metadata__": dict(metadata)} if metadata else {}  # type: Dict[str, Any]
    end = 0
    for name, dtype, shape, _ in tensors:
        if name in header:
            raise BadTensorFile("tensor {!r} is given twice".format(name))
        begin, end = end, end + byte_count(dtype, shape)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    part = path + ".part"
    with open(part, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name, _, _, data in tensors:
            begin, end = header[name]["data_offsets"]
            if _write_blocks(out, data) != end - begin:
                raise BadTensorFile("tensor {!r} has another length than its shape".format(name))
    os.replace(part, path)


def _write_blocks(out: IO[bytes], data: Any) -> int:
    if isinstance(data, (bytes, bytearray, memoryview)):
        data = (data,)
    written = 0
    for block in data:
        written += out.write(memoryview(block).cast("B"))
    return written


class TensorFile:
    """An open safetensors file: `metadata`, `entries` (name -> (dtype, shape, begin, end)), and its bytes."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 - closed by close() and by the with statement
        try:
            self.metadata, self.entries, self._start = read_header(self._file)
        except Exception:
            self._file.close()
            raise

    def __enter__(self) -> "TensorFile":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def blocks(self, name: str, size: int = BLOCK) -> Iterator[bytes]:
        """The bytes of a tensor in blocks of at most `size`."""
        _, _, begin, end = self.entries[name]
        self._file.seek(self._start + begin)
        while begin < end:
            block = self._file.read(min(size, end - begin))
            if not block:
                raise BadTensorFile("the file ends inside tensor {!r}".format(name))
            begin += len(block)
            yield block

    def read(self, name: str) -> bytes:
        """All bytes of a tensor."""
        return b"".join(self.blocks(name))


def read_header(stream: IO[bytes]) -> Tuple[Dict[str, str], Dict[str, Entry], int]:
    """(metadata, entries, where the data starts) of an open file; BadTensorFile when the bytes do not fit."""
    size = os.fstat(stream.fileno()).st_size
    prefix = stream.read(8)
    length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else -1
    if not 2 <= length <= min(MAX_HEADER, size - 8):
        raise BadTensorFile("the header is longer than the file, or missing")
    try:
        header = json.loads(stream.read(length).decode("utf-8"))
        metadata = header.pop("__metadata__", {})
        entries = {name: _entry(name, value, size - 8 - length) for name, value in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadTensorFile("the header is damaged: {}".format(error)) from error
    return metadata, entries, 8 + length


def _entry(name: str, value: Dict[str, Any], available: int) -> Entry:
    begin, end = value["data_offsets"]
    if end - begin != byte_count(value["dtype"], value["shape"]) or not 0 <= begin <= end <= available:
        raise BadTensorFile("tensor {!r} does not lie in the file".format(name))
    return value["dtype"], tuple(value["shape"]), begin, end
