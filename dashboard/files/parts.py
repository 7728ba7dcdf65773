"""Files on their way into a folder: written under a random name, synced, renamed; what breaks leaves nothing."""

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from dashboard.files.names import Readable, StoreFull, TooLarge

CHUNK = 1 << 20
ABANDONED_SECONDS = 24 * 3600  # longer than any upload takes


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk that holds the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(folder).free


@contextmanager
def part(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file to write to in `folder`/incoming, gone afterwards unless it was renamed. Raises StoreFull."""
    incoming = folder / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    if free_bytes(folder) < settings.MIN_FREE_BYTES:
        raise StoreFull("too little free disk")
    path = incoming / secrets.token_hex(16)
    try:
        with path.open("xb") as file:
            yield file, path
    except OSError as error:
        raise StoreFull(str(error)) from error
    finally:
        path.unlink(missing_ok=True)


def copy(stream: Readable, file: BinaryIO, limit: int | None) -> tuple[str, int]:
    """Write the stream to the disk; its SHA-256 and length. Raises TooLarge."""
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


def settle(path: Path, target: Path) -> None:
    """Give a whole part its name. A row must not outlive its file: after a power cut the name is there only if the
    folder was written too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> int:
    """Delete parts that nobody writes to any more."""
    gone = 0
    incoming = folder / "incoming"
    for path in incoming.iterdir() if incoming.is_dir() else ():
        try:
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                path.unlink()
                gone += 1
        except FileNotFoundError:
            continue  # it arrived meanwhile
    return gone
