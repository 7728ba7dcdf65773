"""The folder that accuracy_analysis of RKNN-Toolkit2 leaves: golden/ and simulator/, each tensor as text and in npy/.

map_name_to_file.txt tells which file is whose; without it names are mangled as the toolkit does.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from similarity.dumpfile import LayerInfo
from workers.toolkits.imported.dumps import Found
from workers.toolkits.imported.quantization import TensorScale, scale_fields
from workers.toolkits.imported.rows import ENTIRE, VendorScore, by_scope
from workers.toolkits.imported.tensors import Shape, is_array, shape_of
from workers.toolkits.onnxjob.layers import key_of, printable
from workers.toolkits.vendor.accuracy_table import AccuracyRow

FOLDERS = {"golden": "converted", "simulator": "quantized"}
HEADING = re.compile(r"^\s*layer_name\s+file_name\s*$")


def read_map(text: str) -> dict[str, str]:
    """Layer name -> file name, {} for another text. Names may hold blanks, file names do not."""
    lines = text.splitlines()
    if not lines or not HEADING.match(lines[0]):
        return {}
    pairs = (line.rstrip().rsplit(None, 1) for line in lines[1:] if not line.startswith("---"))
    return {pair[0].strip(): pair[1] for pair in pairs if len(pair) == 2}


class Folder2:
    """An open folder of toolkit2. `folders` maps golden and simulator to their files ("npy/x.npy", "x.txt")."""

    def __init__(
        self,
        folders: Mapping[str, Mapping[str, Path]],
        names: Mapping[str, str],
        rows: Sequence[AccuracyRow],
        scales: Sequence[TensorScale],
    ) -> None:
        self._folders, self._map, self._rows = folders, names, rows
        self._ops = {row.name: row.op for row in rows}
        self._scales = {scale.name: scale for scale in scales}
        stems = {_stem(name) for files in folders.values() for name in files}
        self._names = list(dict.fromkeys([*(row.name for row in rows), *names])) or sorted(stems)
        self._keys = _keys(self._names)
        self._shapes = self._look()

    def rungs(self) -> dict[str, tuple[str, list[Found]]]:
        """Rung -> the folder that holds it, and its layers in the order of execution."""
        found = {}
        for folder, files in self._folders.items():
            layers = [self._found(folder, files, name) for name in self._names]
            present = [layer for layer in layers if layer]
            if present:
                found[FOLDERS[folder]] = (f"{folder}/", present)
        return found

    def score(self, rows: Sequence[AccuracyRow]) -> list[VendorScore]:
        """The rows of a table, for both of its scopes, with the keys of their layers where dumps are there."""
        scores = []
        for scope, table in by_scope(rows, ENTIRE).items():
            for row, printed in table:
                key = self._keys[row.name] if row.name in self._shapes else ""
                shape = self._shapes.get(row.name, ())
                scores.append(
                    VendorScore(scope, printable(row.name), row.op[:60], row.dtype, printed, key, shape)
                )
        return scores

    def _found(self, folder: str, files: Mapping[str, Path], name: str) -> Found | None:
        file = self._file(files, name)
        if file is None:
            return None
        path, label = files[file], f"{folder}/{file}"
        shape = shape_of(path, label)
        if not is_array(path) and math.prod(self._shapes[name]) == shape[0]:
            shape = self._shapes[name]  # the text has none, the other folder's array has
        grid: dict[str, Any] = {} if folder == "golden" else scale_fields(self._scales.get(name))
        layout: Any = "NCHW" if len(shape) == 4 else ""
        info = LayerInfo(
            self._keys[name], printable(name), printable(self._ops.get(name, ""))[:60], shape, layout, **grid
        )
        return Found(info, path, label)

    def _file(self, files: Mapping[str, Path], name: str) -> str | None:
        """The .npy where there is one."""
        stem = self._map.get(name, re.sub(r"[^A-Za-z0-9_-]", "_", name)).removesuffix(".txt")
        return next((one for one in (f"npy/{stem}.npy", f"{stem}.npy", f"{stem}.txt") if one in files), None)

    def _look(self) -> dict[str, Shape]:
        """The shape of each layer that has a file: an array's where any folder holds one."""
        shapes: dict[str, Shape] = {}
        for name in self._names:
            for folder, files in self._folders.items():
                file = self._file(files, name)
                if file is not None and (name not in shapes or is_array(files[file])):
                    shapes[name] = shape_of(files[file], f"{folder}/{file}")
        return shapes


def _keys(names: Sequence[str]) -> dict[str, str]:
    """The keys that our own conversion of the network gives the same tensors."""
    keys: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        wanted, number = printable(key_of(name)), 1
        key = wanted
        while key in taken:
            number += 1
            key = f"{wanted}#{number}"
        taken.add(key)
        keys[name] = key
    return keys


def _stem(file: str) -> str:
    return file.rsplit("/", 1)[-1].rsplit(".", 1)[0]
