"""Files on this side of a link: hashed while they are read or written, kept only when they are whole."""

import contextlib
import errno
import hashlib
from collections.abc import Generator
from pathlib import Path
from types import TracebackType

from workers.errors import JobError
from workers.link.base import Received, board_failure

BLOCK = 256 * 1024


class Outgoing:
    """A local file on its way out: `blocks()` once, then `received` is what the other side must have."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self._size = 0

    def blocks(self) -> Generator[memoryview]:
        """The file's bytes. Raises "system:file-missing" when it cannot be read."""
        buffer = memoryview(bytearray(BLOCK))
        try:
            file = self._path.open("rb", buffering=0)
        except OSError as error:
            raise JobError("system:file-missing", f"{self._path.name}: {error.strerror}") from error
        with file:
            while count := file.readinto(buffer):
                self._digest.update(buffer[:count])
                self._size += count
                yield buffer[:count]

    @property
    def expected_size(self) -> int:
        """The file's length now. Raises "system:file-missing" when it is gone."""
        try:
            return self._path.stat().st_size
        except OSError as error:
            raise JobError("system:file-missing", f"{self._path.name}: {error.strerror}") from error

    @property
    def received(self) -> Received:
        """Length and SHA-256 of what `blocks` has yielded so far."""
        return Received(self._size, self._digest.hexdigest())


class Incoming:
    """A file on its way in: written beside `path`, moved there by `keep` when it is what it should be."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")  # no board may choose such a name
        self._most = max_bytes
        self._digest = hashlib.sha256()
        self._size = 0

    def __enter__(self) -> "Incoming":
        self._file = self._part.open("wb", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        with contextlib.suppress(FileNotFoundError):
            self._part.unlink()  # still there: it was not kept

    def add(self, data: bytes) -> None:
        """Take bytes: "board:bad-answer" beyond the limit, "system:store-full" when the disk is full."""
        self._size += len(data)
        if self._size > self._most:
            raise board_failure("board:bad-answer", f"{self._path.name} has more than {self._most} bytes")
        self._digest.update(data)
        try:
            self._file.write(data)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise JobError("system:store-full", str(error)) from error
            raise

    def keep(self, sha256: str) -> Received:
        """Move the file to its place. Raises "board:bad-answer" when its bytes are not those of `sha256`."""
        found = self._digest.hexdigest()
        if found != sha256:
            raise board_failure("board:bad-answer", f"{self._path.name}: other bytes than announced")
        self._file.close()
        self._part.replace(self._path)
        return Received(self._size, found)
