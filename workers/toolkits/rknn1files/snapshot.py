"""The folder that accuracy_analysis of 1.x leaves, as dumps: fp32/ is the toolkit's float chain, entire_qnt/ its
emulation of the quantized one.

A file is called <layer>_<id>_out<port>_nhwc_<sizes>.npy; order.txt names them in execution order [UG 4.3.3]. The
tensors are read one at a time, and deleted as they are read.
"""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.dumpfile import LayerInfo
from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.onnxjob.layers import key_of, printable
from workers.toolkits.rknn1files.quantization import Scales
from workers.toolkits.rknn1job.names import mangled, without_number
from workers.toolkits.vendor.accuracy_table import NoTable, read_accuracy_table

CHAINS = (FLOAT, QUANTIZED) = ("fp32", "entire_qnt")
FILE = re.compile(r"^(?P<layer>.+)_out(?P<port>\d+)_(?P<order>nhwc|nchw)_(?P<sizes>\d+(?:_\d+)*)$")
ENDINGS = (".npy", ".tensor")
COPIES = "attach_"  # copies of the outputs, listed in order.txt and never scored


@dataclass(frozen=True)
class Tensor:
    """One dumped tensor: its file's name without ending, the layer with its id, the port and the sizes."""

    stem: str
    layer: str
    port: int
    order: str
    shape: tuple[int, ...]

    @property
    def plain(self) -> str:
        """The layer's name without the id, which changes from build to build."""
        return without_number(self.layer)


class Snapshot:
    """An open snapshot folder of one sample. `known` are the layers of the source in execution order."""

    def __init__(self, folder: Path, known: Sequence[LayerInfo], *, quantized: bool) -> None:
        self.folder = folder
        self.quantized = quantized
        self.tensors = [tensor for tensor in _listed(folder / FLOAT) if self._has(tensor)]
        if not self.tensors:
            raise Refused("toolkit:bad-result", "accuracy_analysis left no tensor that order.txt names.")
        self._sources = _by_toolkit_name(known)
        self._by_key = {layer.key: layer for layer in known}
        self._keys = self._unique_keys()

    def layers(self, scales: Scales | None = None) -> list[LayerInfo]:
        """One layer per tensor, in execution order; scaled where `scales` knows it."""
        return [self._layer(tensor, scales) for tensor in self.tensors]

    def values(self, chain: str) -> Iterator[NDArray[np.float32]]:
        """The tensors of `chain` in the order of `layers`, each deleted once it was read. A float build has no
        quantized chain: there it is the float one, which stays until then."""
        folder = chain if self.quantized else FLOAT
        for tensor in self.tensors:
            path = _file(self.folder / folder, tensor)
            yield _load(path, tensor)
            if self.quantized or chain == QUANTIZED:
                path.unlink()

    def accuracy(self) -> list[dict[str, Any]]:
        """The rows of the vendor's tables: of the whole quantized chain, and with it of each layer alone."""
        if not self.quantized:
            return []
        alone = {row.name: row for row in self._rows("individual_qnt_error_analysis.txt")}
        found = []
        for row in self._rows("entire_qnt_error_analysis.txt"):
            match = FILE.match(row.name.removesuffix(".npy").removesuffix(".tensor"))
            single = alone.get(match["layer"] if match else row.name)
            found.append(
                vars(row) | {"entire": dict(row.entire), "single": dict(single.entire if single else {})}
            )
        return found

    def remove(self) -> None:
        """Delete what is left."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _rows(self, name: str) -> list[Any]:
        try:
            return list(
                read_accuracy_table((self.folder / name).read_text(encoding="utf-8", errors="replace"))
            )
        except FileNotFoundError as error:
            raise Refused("toolkit:bad-result", f"accuracy_analysis left no {name}.") from error
        except NoTable as error:
            raise Refused("toolkit:bad-result", f"{name}: {error}.") from error

    def _has(self, tensor: Tensor) -> bool:
        folders = CHAINS if self.quantized else (FLOAT,)
        return all(_file(self.folder / name, tensor).is_file() for name in folders)

    def _layer(self, tensor: Tensor, scales: Scales | None) -> LayerInfo:
        known = self._known(tensor)
        how = scales.find(tensor.layer, tensor.port) if scales else None
        quantization: dict[str, Any] = vars(how) if how else {}
        return LayerInfo(
            key=self._keys[tensor.stem],
            name=printable(tensor.layer),
            op=known.op if known else "",
            shape=tensor.shape,
            layout=("NHWC" if tensor.order == "nhwc" else "NCHW") if len(tensor.shape) == 4 else "",
            inputs=tuple(self._feeding(known)) if known else (),
            sources=known.sources if known else (),
            **quantization,
        )

    def _known(self, tensor: Tensor) -> LayerInfo | None:
        return self._sources.get((tensor.plain, tensor.port)) or self._sources.get(
            (tensor.layer, tensor.port)
        )

    def _unique_keys(self) -> dict[str, str]:
        """A key for each tensor: the source's own where the toolkit's layer is one of the source's."""
        keys: dict[str, str] = {}
        for tensor in self.tensors:
            known = self._known(tensor)
            wanted = known.key if known else printable(key_of(tensor.plain))
            taken, number = set(keys.values()), 1
            while (unique := wanted if number == 1 else f"{wanted}#{number}") in taken:
                number += 1
            keys[tensor.stem] = unique
        return keys

    def _feeding(self, layer: LayerInfo) -> list[str]:
        """The nearest layers upstream in the source that are here as well."""
        here = set(self._keys.values())
        found, pending, seen = [], list(layer.inputs), set()
        while pending:
            key = pending.pop(0)
            if key in seen:
                continue
            seen.add(key)
            if key in here:
                found.append(key)
            elif key in self._by_key:
                pending.extend(self._by_key[key].inputs)
        return found


def _by_toolkit_name(known: Sequence[LayerInfo]) -> Mapping[tuple[str, int], LayerInfo]:
    """The source's layers by what the toolkit calls them: <op>_<node> of a node, the name of an input [1.7.5, as seen:
    Conv_/model.0/conv/Conv]. The second output of a node is its port 1."""
    found: dict[tuple[str, int], LayerInfo] = {}
    for layer in known:
        stem, colon, number = layer.key.rpartition(":")
        port = int(number) if colon and stem and number.isdigit() else 0
        for name in (layer.name, *layer.sources[-1:]):
            found.setdefault((mangled(f"{layer.op}_{name}"), port), layer)
            found.setdefault((mangled(name), port), layer)
    return found


def _listed(folder: Path) -> list[Tensor]:
    """The tensors that order.txt names. Raises Refused toolkit:bad-result."""
    try:
        lines = (folder / "order.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise Refused("toolkit:bad-result", "accuracy_analysis left no fp32/order.txt.") from error
    found: dict[str, Tensor] = {}
    for line in lines:
        # it may hold a number before the name; the file's name holds no blank
        stem = (line.split() or [""])[-1].removesuffix(".npy").removesuffix(".tensor")
        match = FILE.match(stem)
        if match and "/" not in stem and not stem.startswith(COPIES):
            shape = tuple(int(size) for size in match["sizes"].split("_"))
            found[stem] = Tensor(stem, match["layer"], int(match["port"]), match["order"], shape)
    return list(found.values())


def _file(folder: Path, tensor: Tensor) -> Path:
    paths = [folder / f"{tensor.stem}{ending}" for ending in ENDINGS]
    return next((path for path in paths if path.is_file()), paths[0])


def _load(path: Path, tensor: Tensor) -> NDArray[np.float32]:
    """The tensor in the shape that its name tells: text (one number a line) or .npy. Raises Refused."""
    try:
        if path.suffix == ".npy":
            values = np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
        else:
            values = np.array(path.read_bytes().split(), dtype=np.float32)
        return values.reshape(tensor.shape)
    except (OSError, ValueError, EOFError) as error:
        raise Refused("toolkit:bad-result", f"{path.name} of the snapshot is damaged: {error}") from error
