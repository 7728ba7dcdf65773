"""The folder that accuracy_analysis of RKNN-Toolkit 1.x leaves [UG 4.3.3].

fp32/ (with order.txt), entire_qnt/ and individual_qnt/; with a board also qnt_npu_dump/. A file is called
<layer>_<id>_out<port>_nhwc_<n>_<h>_<w>_<c>.tensor (text) or .npy; the name tells its sides, the values lie flat.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from similarity.dumpfile import LayerInfo
from workers.layerdump.listing import printable
from workers.layerdump.names import keys_of
from workers.toolkits.imported.dumps import Found
from workers.toolkits.imported.quantization import TensorScale, scale_fields
from workers.toolkits.imported.rows import VendorScore, by_scope
from workers.toolkits.imported.tensors import Shape, is_array, shape_of
from workers.toolkits.vendor.accuracy_table import AccuracyRow

FOLDERS = {
    "fp32": "converted",
    "entire_qnt": "quantized",
    "individual_qnt": "quantized-isolated",
    "qnt_npu_dump": "board-isolated",
}
NAME = re.compile(
    r"(?P<layer>.+)_out(?P<port>\d{1,3})_(?P<axes>nhwc|nchw)_(?P<sides>\d{1,9}(?:_\d{1,9}){0,15})"
)
KINDS = (".npy", ".tensor")  # the better one first
OPERATOR = re.compile(r"([A-Za-z][A-Za-z0-9_]*?)(?:_at_|__)")
Layout = Literal["NCHW", "NHWC", ""]


@dataclass(frozen=True)
class Named:
    """What a file's name says: `layer` with its id and, beyond the first, its port; no sides in other names."""

    layer: str
    op: str
    shape: Shape
    layout: Layout


def named(stem: str) -> Named:
    """The parts of a file's name without its ending."""
    found = NAME.fullmatch(stem)
    layer = found["layer"] if found else stem
    operator = OPERATOR.match(layer)
    op = operator[1][:60] if operator else ""
    if found is None:
        return Named(printable(layer), op, (), "")
    name = f"{layer}:out{int(found['port'])}" if int(found["port"]) else layer
    shape = tuple(int(side) for side in found["sides"].split("_"))
    layout: Layout = "" if len(shape) != 4 else "NHWC" if found["axes"] == "nhwc" else "NCHW"
    return Named(printable(name), op, shape, layout)


class Folder1:
    """An open folder of 1.x: `folders` maps fp32, entire_qnt... to the files in them, `order` lists file names."""

    def __init__(
        self, folders: Mapping[str, Mapping[str, Path]], order: Sequence[str], scales: Sequence[TensorScale]
    ) -> None:
        ranks = {_stem(name): number for number, name in reversed(list(enumerate(order)))}
        self._files = {
            folder: {stem: files[label] for stem, label in _by_stem(files, ranks).items()}
            for folder, files in folders.items()
        }
        self._labels = {folder: _by_stem(files, ranks) for folder, files in folders.items()}
        names = {named(stem).layer: None for files in self._files.values() for stem in files}
        self._keys = dict(zip(names, keys_of(list(names)), strict=True))
        self._scales = {scale.name: scale for scale in scales}

    def rungs(self) -> dict[str, tuple[str, list[Found]]]:
        """Rung -> the folder that holds it, and its layers in the order of execution."""
        return {
            FOLDERS[folder]: (f"{folder}/", [self._found(folder, stem) for stem in files])
            for folder, files in self._files.items()
            if files
        }

    def score(self, rows: Sequence[AccuracyRow], scope: str) -> list[VendorScore]:
        """The rows of one table with the keys of their layers."""
        scores = []
        for name, table in by_scope(rows, scope).items():
            for row, printed in table:
                told = named(_stem(row.name))
                key = self._keys.get(told.layer, "")
                scores.append(VendorScore(name, told.layer, told.op, row.dtype, printed, key, told.shape))
        return scores

    def _found(self, folder: str, stem: str) -> Found:
        path, label = self._files[folder][stem], f"{folder}/{self._labels[folder][stem]}"
        told = named(stem)
        shape, layout = told.shape, told.layout
        if not shape or (is_array(path) and math.prod(shape_of(path, label)) != math.prod(shape)):
            shape, layout = shape_of(path, label), ""
        grid: dict[str, Any] = {} if folder == "fp32" else scale_fields(self._scale(told.layer))
        key = self._keys[told.layer]
        return Found(LayerInfo(key, told.layer, told.op, shape, layout, **grid), path, label)

    def _scale(self, layer: str) -> TensorScale | None:
        name, _, port = layer.partition(":out")
        return self._scales.get(f"{name}:out{port or 0}")


def _by_stem(files: Mapping[str, Path], ranks: Mapping[str, int]) -> dict[str, str]:
    """Stem -> file name, in the order of execution; .npy where a tensor is there twice."""
    found: dict[str, str] = {}
    for kind in KINDS:
        for label in files:
            if label.endswith(kind):
                found.setdefault(label.removesuffix(kind), label)
    order = sorted(found, key=lambda stem: (ranks.get(stem, len(ranks)), stem))
    return {stem: found[stem] for stem in order}


def _stem(label: str) -> str:
    name = PurePosixPath(label.strip()).name
    return next((name.removesuffix(kind) for kind in KINDS if name.endswith(kind)), name)
