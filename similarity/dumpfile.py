"""Dumps: the tensors of every layer from one execution of one graph on one sample, in one tensor file.

Reading believes nothing: layers without a tensor, tensors without a layer, odd scales and wrong words are
all refused.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Any, Literal, Self, cast

from numpy.typing import NDArray

from similarity.stored import Floats, StoredTensor
from similarity.tensorfile import (
    DamagedFile,
    TensorFile,
    TensorSpec,
    check_name,
    dtype_code,
    parse_json,
    rename_tensors,
    stream_tensors,
    write_tensors,
)

__all__ = [
    "DamagedFile",
    "DumpFile",
    "LayerInfo",
    "TensorFile",
    "layer_of",
    "relabel_dump",
    "write_dump",
    "write_tensors",
]

Layout = Literal["NCHW", "NHWC", ""]
MARK = "dump/1"
LAYOUTS = ("NCHW", "NHWC", "")
PLAIN_TYPES = ("F32", "F16", "I32")
SCALED_TYPES = ("U8", "I8", "I16")
ENTRY_KEYS = frozenset(
    ("key", "name", "op", "layout", "scale", "zero_point", "qmin", "qmax", "inputs", "sources")
)


@dataclass(frozen=True)
class LayerInfo:
    """One layer of a dump, without its values; layers stand in execution order.

    `qmin` and `qmax` are the ends of the quantized range in steps (0 and 255 for uint8): an end stands for
    the value `(q - zero_point) * scale`. All four are None for a float layer. `inputs` are keys of the layers
    that feed this one, `sources` the names of the source's nodes that it contains.
    """

    key: str
    name: str
    op: str
    shape: tuple[int, ...]
    layout: Layout = ""
    scale: float | None = None
    zero_point: int | None = None
    qmin: float | None = None
    qmax: float | None = None
    inputs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def end_value(self, step: float | None) -> float | None:
        """The real value at `step` of the quantized range, or None where the range is not known."""
        if step is None or self.scale is None:
            return None
        return (step - (self.zero_point or 0)) * self.scale


class DumpFile:
    """An open dump; use it in a `with` statement."""

    def __init__(
        self, tensors: TensorFile, rung: str, simulated: bool, layers: tuple[LayerInfo, ...]
    ) -> None:
        self._tensors = tensors
        self.rung = rung
        self.simulated = simulated
        self.layers = layers
        self._by_key = {layer.key: layer for layer in layers}

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open the dump at `path`. Raises DamagedFile, or OSError when it cannot be opened."""
        tensors = TensorFile.open(path)
        try:
            rung, simulated = _parse_metadata(tensors)
            return cls(tensors, rung, simulated, _parse_layers(tensors))
        except DamagedFile:
            tensors.close()
            raise

    @property
    def specs(self) -> list[TensorSpec]:
        """How the tensor of each layer lies in the file, in the order of `layers`."""
        return [self._tensors.specs[layer.key] for layer in self.layers]

    def layer(self, key: str) -> LayerInfo:
        """The layer called `key`. Raises KeyError."""
        return self._by_key[key]

    def stored(self, key: str) -> NDArray[Any]:
        """The tensor of layer `key` as it lies in the file: mapped, read-only."""
        return self._tensors.array(key)

    def tensor(self, key: str) -> StoredTensor:
        """The tensor of layer `key` with what is needed to read it as float32, block by block."""
        layer, stored = self.layer(key), self.stored(key)
        # Float tensors may carry a scale (a simulation's grid), but their values are real numbers already.
        scale = layer.scale if stored.dtype.kind in "iu" else None
        return StoredTensor(stored, scale, layer.zero_point or 0)

    def values(self, key: str) -> Floats:
        """The tensor of layer `key` as float32: mapped without a copy for F32, else converted."""
        return self.tensor(key).floats()

    def forget(self) -> None:
        """Leave to the kernel what has been read so far."""
        self._tensors.forget()

    def close(self) -> None:
        self._tensors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def layer_of(array: NDArray[Any], key: str, op: str = "", **fields: Any) -> LayerInfo:
    """A LayerInfo for `array`: its shape is taken from it, and its name is `key` unless `name` is given."""
    return LayerInfo(key=key, op=op, shape=array.shape, name=fields.pop("name", key), **fields)


def write_dump(
    path: str | os.PathLike[str],
    rung: str,
    layers: Sequence[LayerInfo],
    arrays: Iterable[NDArray[Any]],
    *,
    dtypes: Sequence[str] | None = None,
    simulated: bool = False,
) -> None:
    """Write a dump of `layers` whose `arrays` come in the same order, one at a time.

    The header comes first in the file, so the types must be known: `dtypes` (codes such as "F32" or "U8", one
    a layer) must be given when `arrays` is not a sequence; only one array is then held at once. Raises
    ValueError when layers and arrays do not fit each other or the contract.
    """
    if dtypes is None:
        if not isinstance(arrays, Sequence):
            raise ValueError("give the dtypes when the arrays are a stream")
        dtypes = [dtype_code(array.dtype) for array in arrays]
    specs = [TensorSpec(layer.key, dtype, layer.shape) for layer, dtype in zip(layers, dtypes, strict=True)]
    stream_tensors(path, specs, _metadata(rung, simulated, layers, specs), arrays)


def relabel_dump(path: str | os.PathLike[str], layers: Sequence[LayerInfo]) -> None:
    """Describe the layers of the dump at `path` anew, in the same order: keys, names, sources; the tensors stay as they
    are, and nothing is written twice. What breaks off in the middle leaves a damaged file. Raises DamagedFile, and
    ValueError when the layers do not fit the tensors or the contract.
    """
    with DumpFile.open(path) as dump:
        rung, simulated, tensors, kept = dump.rung, dump.simulated, dump.specs, dump._tensors.metadata
    if [layer.shape for layer in layers] != [spec.shape for spec in tensors]:
        raise ValueError("these layers are not those of the dump")
    specs = [replace(spec, name=layer.key) for spec, layer in zip(tensors, layers, strict=True)]
    names = {spec.name: layer.key for spec, layer in zip(tensors, layers, strict=True)}
    rename_tensors(path, names, {**kept, **_metadata(rung, simulated, layers, specs)})


def _metadata(
    rung: str, simulated: bool, layers: Sequence[LayerInfo], specs: Sequence[TensorSpec]
) -> dict[str, str]:
    """A dump's metadata. Raises ValueError when a layer does not fit its spec or the contract."""
    entries = [{name: value for name, value in asdict(layer).items() if name != "shape"} for layer in layers]
    for entry, spec in zip(entries, specs, strict=True):
        _parse_layer(json.loads(json.dumps(entry, allow_nan=False)), {spec.name: spec})
    return {
        "layerwise": MARK,
        "rung": rung,
        "simulated": "yes" if simulated else "no",
        "layers": json.dumps(entries, separators=(",", ":"), allow_nan=False),
    }


def _parse_metadata(tensors: TensorFile) -> tuple[str, bool]:
    metadata = tensors.metadata
    if metadata.get("layerwise") != MARK:
        raise DamagedFile("This tensor file is not a dump of layers (dump/1).")
    rung, simulated = metadata.get("rung", ""), metadata.get("simulated", "")
    if not 0 < len(rung) <= 64 or not rung.isprintable():
        raise DamagedFile("The dump does not say which rung it is from.")
    if simulated not in ("yes", "no"):
        raise DamagedFile("The dump does not say whether it is simulated.")
    return rung, simulated == "yes"


def _parse_layers(tensors: TensorFile) -> tuple[LayerInfo, ...]:
    entries = parse_json(tensors.metadata.get("layers", ""), "The list of layers")
    if not isinstance(entries, list):
        raise DamagedFile("The list of layers is not a list.")
    layers = tuple(_parse_layer(entry, tensors.specs) for entry in entries)
    keys = {layer.key for layer in layers}
    if len(keys) != len(layers):
        raise DamagedFile("Two layers have the same key.")
    if keys != set(tensors.specs):
        raise DamagedFile("The dump holds tensors that belong to no layer.")
    return layers


def _parse_layer(entry: Any, specs: Any) -> LayerInfo:
    if not isinstance(entry, dict) or not set(entry) >= {"key", "name", "op"} or not set(entry) <= ENTRY_KEYS:
        raise DamagedFile("A layer is not described by the fields of the contract.")
    key, name, op = (_text(entry, field) for field in ("key", "name", "op"))
    if not key or key not in specs:
        raise DamagedFile(f"Layer {key!r} has no tensor.")
    layout = entry.get("layout", "")
    if layout not in LAYOUTS:
        raise DamagedFile(f"Layer {key!r} has an unknown layout.")
    return LayerInfo(
        key,
        name,
        op,
        specs[key].shape,
        cast(Layout, layout),
        *_quantization(key, entry, specs[key].dtype),
        inputs=_texts(entry, "inputs"),
        sources=_texts(entry, "sources"),
    )


def _quantization(
    key: str, entry: dict[str, Any], dtype: str
) -> tuple[float | None, int | None, float | None, float | None]:
    scale, qmin, qmax = (_number(key, entry, field) for field in ("scale", "qmin", "qmax"))
    zero_point = entry.get("zero_point")
    if zero_point is not None and (type(zero_point) is not int or abs(zero_point) > 2**31):
        raise DamagedFile(f"Layer {key!r} has a zero_point that is not an integer.")
    if scale is not None and not 1e-37 < scale < 1e37:
        raise DamagedFile(f"Layer {key!r} has a scale that is not a positive float32.")
    if qmin is not None and qmax is not None and qmin >= qmax:
        raise DamagedFile(f"Layer {key!r} has a quantized range that ends before it begins.")
    if dtype not in PLAIN_TYPES + SCALED_TYPES:
        raise DamagedFile(f"Layer {key!r} is stored as {dtype}, which a dump may not hold.")
    if dtype in SCALED_TYPES and (scale is None or zero_point is None):
        raise DamagedFile(f"Layer {key!r} is quantized but its scale or zero_point is missing.")
    return scale, zero_point, qmin, qmax


def _number(key: str, entry: dict[str, Any], field: str) -> float | None:
    value = entry.get(field)
    if value is None:
        return None
    if type(value) not in (int, float) or not abs(value) < 1e38:
        raise DamagedFile(f"Layer {key!r} has a {field} that is not a finite number.")
    return float(value)


def _text(entry: dict[str, Any], field: str) -> str:
    value = entry[field]
    if not isinstance(value, str):
        raise DamagedFile(f"A layer's {field} is not a text.")
    check_name(value)
    return value


def _texts(entry: dict[str, Any], field: str) -> tuple[str, ...]:
    values = entry.get(field, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise DamagedFile(f"A layer's {field} is not a list of texts.")
    for value in values:
        check_name(value)
    return tuple(values)
