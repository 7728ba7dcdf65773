"""The simulation's tensors, each put into the narrowest type that gives it back while accuracy_analysis goes on.

The vendor's tool opens every .npy of a snapshot once, to write it, and reads none. strace told so of 2.5.0 with
w8a8, w16a16i_dfp, w4a16, float, single layers and batches, 2.2.0 to 2.3.2 with w8a8, float and batches. A file that was
narrowed is emptied, not deleted, so that whoever wrote to it afterwards is seen. What came to it then counts, as it
would without us: a whole file is taken once more, and anything else is a damaged one.
"""

import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.tensorfile import dtype_code
from workers.toolkits.rknn2job.narrow import narrowed, widened
from workers.toolkits.rknn2job.npyfile import complete_floats
from workers.toolkits.rknn2job.snapshot import FOLDERS, Scale, load

Stamp = tuple[int, int, int]  # number of the file, size, when it was written last
GONE: Stamp = (0, 0, 0)


@dataclass(frozen=True)
class Taken:
    """A file that was looked at: how it was after that, by which scale, and whether something narrower is kept."""

    stamp: Stamp
    how: Scale | None
    is_narrow: bool


class Simulated:
    """The files of the simulation in the folder `snapshot`; `scales` are the tensors', by the toolkit's names."""

    def __init__(self, snapshot: Path, scales: Mapping[str, Scale]) -> None:
        self.folder = snapshot / FOLDERS["quantized"] / "npy"
        self._narrow = snapshot / "narrow"
        self._scales: dict[str, Scale] = {}
        for name, how in scales.items():
            self._scales.setdefault(_plain(name), how)
        self._seen: dict[Path, Stamp] = {}
        self._taken: dict[Path, Taken] = {}

    def look(self) -> None:
        """Take what is complete and has been still since the last look. The toolkit's map of names comes last, so that
        the scale is a guess until `settle`. What cannot be done now is done, or refused, there.
        """
        for path in sorted(self.folder.glob("*.npy")):
            with contextlib.suppress(OSError):
                now, before = _stamp(path), self._seen.get(path)
                self._seen[path] = now
                if now == before and not self._is_taken(path):
                    self._take(path, self._scales.get(_plain(path.stem)))

    def settle(self, scales: Mapping[Path, Scale | None]) -> list[str]:
        """Once the tool has ended: the stored type (F32, F16, I8, U8, I16) of each file, whose `scales` are known now.

        Raises OSError; files that are missing or damaged are F32 until `read` refuses them.
        """
        for path, how in scales.items():
            if _stamp(path) != GONE and not (self._is_taken(path) and self._taken[path].how == how):
                self._undo(path)
                self._take(path, how)
        return [self._code(path) for path in scales]

    def read(self, path: Path) -> NDArray[Any]:
        """The tensor of a file as `settle` told; what was kept of it is deleted. Raises Refused toolkit:bad-result."""
        if not self._is_narrow(path):
            return load(path)
        kept = self._kept(path)
        values: NDArray[Any] = np.load(kept, allow_pickle=False)
        kept.unlink()
        return values

    def _take(self, path: Path, how: Scale | None) -> None:
        before, told = _stamp(path), complete_floats(path)
        if told is None:
            return
        self._narrow.mkdir(exist_ok=True)
        is_narrow = narrowed(path, told, self._kept(path), how)
        if _stamp(path) != before:
            return
        if is_narrow:
            os.truncate(path, 0)
        self._taken[path] = Taken(_stamp(path), how, is_narrow)

    def _undo(self, path: Path) -> None:
        """Put back what was narrowed by another tensor's scale."""
        if self._is_narrow(path):
            np.save(path, widened(self._kept(path), self._taken[path].how))
        self._taken.pop(path, None)

    def _is_taken(self, path: Path) -> bool:
        return path in self._taken and self._taken[path].stamp == _stamp(path)

    def _is_narrow(self, path: Path) -> bool:
        return self._is_taken(path) and self._taken[path].is_narrow

    def _code(self, path: Path) -> str:
        if not self._is_narrow(path):
            return "F32"
        return dtype_code(np.load(self._kept(path), mmap_mode="r", allow_pickle=False).dtype)

    def _kept(self, path: Path) -> Path:
        return self._narrow / path.name


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except FileNotFoundError:
        return GONE
    return found.st_ino, found.st_size, found.st_mtime_ns


def _plain(name: str) -> str:
    """The toolkit writes a low line for some characters of a name; this does for all but letters and digits."""
    return re.sub(r"\W", "_", name)
