"""The content-addressed store: files are named by their SHA-256 and never change.

`put` writes beside the target, syncs and renames, so that a name in the store is always a whole file. Who may read
a file is decided by the row that points at it, never by knowing its hash.
"""

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings

CHUNK = 1 << 20
SHA256 = re.compile(r"[0-9a-f]{64}")


class StoreFull(Exception):
    """The disk has less than the reserve left, or a write ran out of space."""


class TooLarge(Exception):
    """The stream is longer than the limit given."""


class Missing(Exception):
    """No file of this hash is in the store."""


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Stored:
    """A file in the store: its SHA-256 (hex) and its length in bytes."""

    sha256: str
    size: int


def path(sha256: str) -> Path:
    """Where a file of this hash lies (or would lie).

    Raises ValueError for anything that is not a SHA-256, so that no name from outside becomes a path.
    """
    if not SHA256.fullmatch(sha256):
        raise ValueError("not a SHA-256")
    return Path(settings.STORE_DIR) / sha256[:2] / sha256


def existing(sha256: str) -> Path:
    """The path of a stored file. Raises Missing."""
    file = path(sha256)
    if not file.is_file():
        raise Missing(sha256)
    return file


def put(stream: Readable, limit: int | None = None) -> Stored:
    """Store the stream and return its hash and length; a file that is there already is not written twice.

    Raises TooLarge beyond `limit` bytes, StoreFull when the disk is too full.
    """
    with _part() as (file, part):
        digest, size = _copy(stream, file, limit)
        target = path(digest)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
            _sync(target.parent)
    return Stored(digest, size)


def put_path(source: Path, limit: int | None = None) -> Stored:
    """Store a file that lies on this machine."""
    with source.open("rb") as stream:
        return put(stream, limit)


def free_bytes() -> int:
    """Free bytes on the disk that holds the store."""
    Path(settings.STORE_DIR).mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(settings.STORE_DIR).free


@contextmanager
def _part() -> Iterator[tuple[BinaryIO, Path]]:
    folder = Path(settings.STORE_DIR) / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    if free_bytes() < settings.MIN_FREE_BYTES:
        raise StoreFull("too little free disk")
    part = folder / secrets.token_hex(16)
    try:
        with part.open("xb") as file:
            yield file, part
    except OSError as error:
        raise StoreFull(str(error)) from error
    finally:
        part.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """A row must not outlive its file: after a power cut the name is there only if the folder was written too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(stream: Readable, file: BinaryIO, limit: int | None) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while chunk := stream.read(CHUNK):
        size += len(chunk)
        if limit is not None and size > limit:
            raise TooLarge(f"more than {limit} bytes")
        digest.update(chunk)
        file.write(chunk)
    file.flush()
    os.fsync(file.fileno())
    return digest.hexdigest(), size
