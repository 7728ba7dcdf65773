"""The store as a folder that site and workers see."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dashboard.files import parts
from dashboard.files.names import Missing, Readable, Stored, checked


@dataclass(frozen=True)
class FolderStore:
    """Files lie in subfolders named after the first two digits of their hash."""

    folder: Path

    def path(self, sha256: str) -> Path:
        """Where a file of this hash lies (or would lie)."""
        return self.folder / checked(sha256)[:2] / sha256

    def put(self, stream: Readable, limit: int | None) -> Stored:
        with parts.part(self.folder) as (file, path):
            digest, size = parts.copy(stream, file, limit)
            target = self.path(digest)
            if not target.exists():
                parts.settle(path, target)
        return Stored(digest, size)

    def existing(self, sha256: str) -> Path:
        file = self.path(sha256)
        if not file.is_file():
            raise Missing(sha256)
        return file

    def opened(self, sha256: str) -> BinaryIO:
        return self.existing(sha256).open("rb")

    def size(self, sha256: str) -> int:
        return self.existing(sha256).stat().st_size

    def free_bytes(self) -> int:
        return parts.free_bytes(self.folder)

    def check(self) -> None:
        """The folder is this machine's own; a full disk is told by others."""

    def sweep(self) -> int:
        return parts.sweep(self.folder)
