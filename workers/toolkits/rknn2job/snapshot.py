"""The folder that `accuracy_analysis` leaves, as dumps: golden/ is the converted rung, simulator/ the quantized.

Every tensor lies there twice, as text, which is deleted as it appears (texts.py), and as .npy (float32, NCHW,
dequantized). Those of the simulation are narrowed as they appear (simulated.py); the float ones are as small as they
will be in the dump, and wait. Both are read one at a time and deleted as they are read. The vendor's map, which is
written last, tells which file is whose.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from similarity.dumpfile import LayerInfo
from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.onnxjob.layers import key_of, printable
from workers.toolkits.rknn2job.npyfile import NO_HEADER
from workers.toolkits.vendor.accuracy_table import AccuracyRow, read_accuracy_table

FOLDERS = {"converted": "golden", "quantized": "simulator"}


@dataclass(frozen=True)
class Scale:
    """How a tensor is quantized: real = (q - zero_point) * scale, q from qmin to qmax."""

    scale: float
    zero_point: int
    qmin: float
    qmax: float


class Snapshot:
    """An open snapshot folder of one sample. `fused` is the toolkit's graph after its rewrites."""

    def __init__(
        self, folder: Path, fused: onnx.GraphProto, known: Mapping[str, LayerInfo], batch: int = 1
    ) -> None:
        self.folder = folder
        self.rows = read_accuracy_table((folder / "error_analysis.txt").read_text(encoding="utf-8"))
        self.files = _files(folder / "map_name_to_file.txt")
        self._producers = {name: node for node in fused.node for name in node.output}
        self._known = known
        self.present = [row for row in self.rows if self._path("converted", row.name).is_file()]
        if not self.present:
            raise Refused("toolkit:bad-result", "accuracy_analysis left no tensor that its map names.")
        self._refuse_shared()
        self._shapes = {
            row.name: joined_shape(_shape(self._path("converted", row.name)), batch) for row in self.present
        }

    def layers(self, scales: Mapping[str, Scale]) -> list[LayerInfo]:
        """One layer per row that has tensors, in the toolkit's order; scaled where `scales` knows the tensor."""
        keys = self._keys()
        return [self._layer(row, keys, scales.get(row.name)) for row in self.present]

    def paths(self, rung: str) -> dict[str, Path]:
        """The file of each layer's tensor by the toolkit's name, in the order of `layers`."""
        return {row.name: self._path(rung, row.name) for row in self.present}

    def values(self, rung: str, read: Callable[[Path], NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """The tensors of `rung` in the order of `layers`, each deleted once it was read."""
        for name, path in self.paths(rung).items():
            yield read(path).reshape(self._shapes[name])
            path.unlink()

    def _refuse_shared(self) -> None:
        """Names that differ in signs only share a file, and the tensor that came first is lost (seen with 2.5.0)."""
        count = Counter(self.files[row.name] for row in self.present)
        lost = [row.name for row in self.present if count[self.files[row.name]] > 1]
        if lost:
            text = f"The toolkit wrote the tensors of {', '.join(map(repr, lost[:4]))} to one file: rename one of them."
            raise Refused("toolkit:bad-result", text)

    def _layer(self, row: AccuracyRow, keys: Mapping[str, str], how: Scale | None) -> LayerInfo:
        known = self._known.get(_plain_name(row.name, self._known))
        shape = self._shapes[row.name]
        quantization: dict[str, Any] = vars(how) if how else {}
        return LayerInfo(
            key=keys[row.name],
            name=printable(row.name),
            op=printable(row.op)[:60],
            shape=shape,
            layout=known.layout if known else "NCHW" if len(shape) == 4 else "",
            inputs=tuple(dict.fromkeys(keys[name] for name in self._feeding(row.name, keys))),
            sources=known.sources if known else (),
            **quantization,
        )

    def _keys(self) -> dict[str, str]:
        """A key for each row: the source's own key where the row ends at a tensor of the source."""
        keys: dict[str, str] = {}
        for row in self.present:
            known = self._known.get(row.name)
            wanted = known.key if known else printable(key_of(row.name))
            taken, number = set(keys.values()), 1
            while (unique := wanted if number == 1 else f"{wanted}#{number}") in taken:
                number += 1
            keys[row.name] = unique
        return keys

    def _feeding(self, name: str, keys: Mapping[str, str]) -> list[str]:
        """The nearest rows upstream of the tensor `name`."""
        found, pending, seen = [], list(self._inputs(name)), set()
        while pending:
            above = pending.pop(0)
            if above in seen:
                continue
            seen.add(above)
            if above in keys:
                found.append(above)
            else:
                pending.extend(self._inputs(above))
        return found

    def _inputs(self, name: str) -> Sequence[str]:
        node = self._producers.get(name)
        return list(node.input) if node else []

    def _path(self, rung: str, name: str) -> Path:
        file = self.files.get(name, "")
        stem = file.removesuffix(".txt")
        return (
            self.folder / FOLDERS[rung] / "npy" / (f"{stem}.npy" if stem and "/" not in stem else ".missing")
        )

    def remove(self) -> None:
        """Delete what is left."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _plain_name(name: str, known: Mapping[str, LayerInfo]) -> str:
    """The source tensor behind a row; a conversion at the graph's edge adds a data type to the name."""
    stem, _, kind = name.rpartition("_")
    converted = kind in {"int8", "int16", "float16", "uint8"}
    return stem if name not in known and converted and stem in known else name


def _files(path: Path) -> dict[str, str]:
    """Layer name -> file name; both may hold blanks, and begin where the heads of their columns do."""
    head, *rows = path.read_text(encoding="utf-8").splitlines() or [""]
    begin = head.find("file_name")
    pairs = (
        (row[:begin], row[begin:]) if row[begin - 1 : begin] == " " else row.rstrip().rsplit(None, 1)
        for row in rows[1:]
    )
    return {pair[0].rstrip(): pair[1].rstrip() for pair in pairs if len(pair) == 2 and pair[1].strip()}


def load(path: Path) -> NDArray[np.float32]:
    """The tensor of a file. Raises Refused toolkit:bad-result."""
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
    except (OSError, *NO_HEADER) as error:
        raise Refused("toolkit:bad-result", f"{path.name} of the snapshot is damaged: {error}") from error


def _shape(path: Path) -> tuple[int, ...]:
    try:
        shape: tuple[int, ...] = np.load(path, mmap_mode="r", allow_pickle=False).shape
    except (OSError, *NO_HEADER) as error:
        raise Refused("toolkit:bad-result", f"{path.name} of the snapshot is damaged: {error}") from error
    return shape


def joined_shape(shape: tuple[int, ...], batch: int) -> tuple[int, ...]:
    """The shape of a tensor in the toolkit's own files without the axis for the batch, which it has before the
    network's (seen with 2.5.0); the toolkit repeats the sample there by itself.
    """
    return (shape[0] * shape[1], *shape[2:]) if batch > 1 and len(shape) > 1 else shape
