"""A stream out of a bucket whose hash is compared at its end."""

import hashlib
from typing import Any

from dashboard.files.client import explained


class Verified:
    """Reads like a file. What was sent before the damage showed cannot be taken back: the end is refused instead,
    so that a download of announced length breaks off."""

    def __init__(self, body: Any, sha256: str) -> None:
        self._body, self._sha256, self._digest = body, sha256, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises OSError at the end of something else, StoreAway when the store falls silent."""
        with explained(self._sha256):
            chunk = bytes(self._body.read(None if size < 0 else size))
        self._digest.update(chunk)
        if (size < 0 or not chunk) and self._digest.hexdigest() != self._sha256:
            raise OSError(f"the stored file {self._sha256} is damaged")
        return chunk

    def close(self) -> None:
        self._body.close()

    def __enter__(self) -> "Verified":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
