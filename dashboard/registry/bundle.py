"""The two files of one route as one stored file: a zip that is the same for the same files, whatever their order."""

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from dashboard.files import Readable

CHUNK = 1 << 20
MEMORY_BYTES = 16 << 20
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # a zip's earliest date: the hash must not depend on the clock


class TooMuch(Exception):
    """The files together are larger than one upload may be."""


@contextmanager
def bundled(files: Sequence[tuple[str, Readable]], limit: int) -> Iterator[IO[bytes]]:
    """A zip, not compressed, of the files by name, ready to be read. Raises TooMuch beyond `limit` bytes."""
    with tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES) as target:
        left = limit
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            for name, stream in sorted(files, key=lambda file: file[0]):
                left -= _add(archive, name, stream, left)
        target.seek(0)
        yield target


def _add(archive: zipfile.ZipFile, name: str, stream: Readable, most: int) -> int:
    """Copy the stream into the zip; how many bytes it had. Raises TooMuch."""
    copied = 0
    with archive.open(zipfile.ZipInfo(name, LONG_AGO), "w", force_zip64=True) as member:
        while piece := stream.read(CHUNK):
            copied += len(piece)
            if copied > most:
                raise TooMuch
            member.write(piece)
    return copied
