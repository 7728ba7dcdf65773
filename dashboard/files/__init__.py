"""The content-addressed store: files are named by their SHA-256 and never change. Here are its verbs; where the files
lie is `folder.py` or, with LAYERWISE_STORE=s3://..., `bucket.py` and a local cache (`cache.py`).

A name in the store is always a whole file. Who may read a file is decided by the row that points at it, never by
knowing its hash.
"""

from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings

from dashboard.files.folder import FolderStore
from dashboard.files.names import Missing, Readable, StoreAway, Stored, StoreFull, TooLarge

__all__ = [
    "Missing",
    "Readable",
    "StoreAway",
    "StoreFull",
    "Stored",
    "TooLarge",
    "check",
    "existing",
    "free_bytes",
    "opened",
    "put",
    "put_path",
    "size",
    "sweep",
]


class Store(Protocol):
    """Where files lie. Every verb takes a SHA-256 and raises ValueError for anything else, so that no name from
    outside becomes a path or a key."""

    def put(self, stream: Readable, limit: int | None) -> Stored: ...
    def existing(self, sha256: str) -> Path: ...
    def opened(self, sha256: str) -> BinaryIO: ...
    def size(self, sha256: str) -> int: ...
    def free_bytes(self) -> int: ...
    def check(self) -> None: ...
    def sweep(self) -> int: ...


def store() -> Store:
    """The store that the settings name; the client of object storage is loaded only where it is used."""
    if settings.STORE_BUCKET is None:
        return FolderStore(Path(settings.STORE_DIR))
    from dashboard.files.bucket import BucketStore

    return BucketStore.of_settings()


def put(stream: Readable, limit: int | None = None) -> Stored:
    """Store the stream and return its hash and length; a file that is there already is not written twice.

    Raises TooLarge beyond `limit` bytes, StoreFull when there is too little room, StoreAway when nobody answers.
    """
    return store().put(stream, limit)


def put_path(source: Path, limit: int | None = None) -> Stored:
    """Store a file that lies on this machine."""
    with source.open("rb") as stream:
        return put(stream, limit)


def existing(sha256: str) -> Path:
    """The path of a stored file on this machine, brought here first if need be, its hash verified.

    Out of a cache it may be evicted a quarter of an hour after it was last asked for: open or link it by then.
    Raises Missing for one that is gone or damaged, StoreAway, StoreFull when there is no room for it here.
    """
    return store().existing(sha256)


def opened(sha256: str) -> BinaryIO:
    """The stored file as a stream that nobody has to wait for; reading a damaged one to its end raises OSError.

    Raises Missing, StoreAway.
    """
    return store().opened(sha256)


def size(sha256: str) -> int:
    """Bytes of a stored file. Raises Missing, StoreAway."""
    return store().size(sha256)


def free_bytes() -> int:
    """Free bytes of this machine's disk where the store, or what is on its way there, lies."""
    return store().free_bytes()


def check() -> None:
    """Ask the store for a sign of life. Raises StoreAway."""
    store().check()


def sweep() -> int:
    """Delete what killed processes left half written a day ago; how many files and uploads that were."""
    return store().sweep()
