"""Files of a distant store on this machine: the ones not asked for longest go when they are too many bytes."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dashboard.files import parts
from dashboard.files.names import checked

IN_USE_SECONDS = (
    15 * 60
)  # what was asked for lately may not have been opened yet: no job waits longer before it does


@dataclass(frozen=True)
class Cache:
    """A folder of whole files, of `limit` bytes together; what is in use may exceed it for a while."""

    folder: Path
    limit: int

    def path(self, sha256: str) -> Path:
        """Where a file of this hash lies (or would lie)."""
        return self.folder / checked(sha256)[:2] / sha256

    def find(self, sha256: str) -> Path | None:
        """The file if it is here, which counts as asking for it."""
        path = self.path(sha256)
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def adopt(self, part: Path, sha256: str) -> Path:
        """Take in a whole file that lies in the cache's incoming folder, and make room for it."""
        target = self.path(sha256)
        parts.settle(part, target)
        self.make_room(0)
        return target

    def make_room(self, size: int) -> int:
        """Evict until `size` bytes more fit, sparing what may be in use; how many files went."""
        gone = 0
        with self._alone():
            files = sorted(self._files())
            too_much = sum(length for _, length, _ in files) + size - self.limit
            for used_at, length, path in files:
                if too_much <= 0 or time.time() - used_at < IN_USE_SECONDS:
                    break
                path.unlink(missing_ok=True)
                too_much -= length
                gone += 1
        return gone

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """When each file was last asked for, its length, and where it lies."""
        for path in self.folder.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                yield status.st_mtime, status.st_size, path

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time counts; the lock goes with the process that holds it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
