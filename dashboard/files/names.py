"""What all stores share: hashes as names, and what may go wrong."""

import re
from dataclasses import dataclass
from typing import Protocol

SHA256 = re.compile(r"[0-9a-f]{64}")


class StoreFull(Exception):
    """The disk has less than the reserve left, a write ran out of space, or a bucket's quota is used up."""


class TooLarge(Exception):
    """The stream is longer than the limit given."""


class Missing(Exception):
    """No file of this hash is in the store, or what is there under this name is another."""


class StoreAway(Exception):
    """The store does not answer, or not to us; it may again."""


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Stored:
    """A file in the store: its SHA-256 (hex) and its length in bytes."""

    sha256: str
    size: int


def checked(sha256: str) -> str:
    """The hash itself. Raises ValueError for anything that is not one."""
    if not SHA256.fullmatch(sha256):
        raise ValueError("not a SHA-256")
    return sha256
