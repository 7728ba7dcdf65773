"""The store as a bucket of S3-compatible object storage, with a cache of verified files on this machine.

A stream is written to the local disk first: its hash is its name, and that is known at its end only. The object
appears in the bucket when its last byte has arrived there, large ones in parts, and no memory grows with it.
"""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

from boto3.s3.transfer import TransferConfig
from django.conf import settings

from dashboard.files import parts
from dashboard.files.cache import Cache
from dashboard.files.client import client, explained
from dashboard.files.names import Missing, Readable, StoreAway, Stored, StoreFull, checked
from dashboard.files.verified import Verified

logger = logging.getLogger(__name__)
TRIES = 4  # of one download, each from the byte where the last one broke
MB = 1 << 20
UPLOADS = TransferConfig(multipart_threshold=64 * MB, multipart_chunksize=32 * MB, max_concurrency=2)


@dataclass(frozen=True)
class BucketStore:
    """Objects are named `<prefix><first two digits>/<hash>`."""

    bucket: str
    prefix: str
    client: Any
    cache: Cache

    @classmethod
    def of_settings(cls) -> "BucketStore":
        """The store that LAYERWISE_STORE names."""
        where = settings.STORE_BUCKET
        assert where is not None, "LAYERWISE_STORE names a folder"
        cache = Cache(Path(settings.STORE_CACHE_DIR), settings.STORE_CACHE_BYTES)
        return cls(
            where.name, where.prefix, client(where, settings.STORE_KEY_ID, settings.STORE_SECRET), cache
        )

    def key(self, sha256: str) -> str:
        """The name of the object."""
        return f"{self.prefix}{checked(sha256)[:2]}/{sha256}"

    def put(self, stream: Readable, limit: int | None) -> Stored:
        with parts.part(self.cache.folder) as (file, path):
            digest, size = parts.copy(stream, file, limit)
            if not self._holds(digest, size):
                with explained(digest):  # by name: of an open file every part would be read into memory
                    self.client.upload_file(str(path), self.bucket, self.key(digest), Config=UPLOADS)
            self.cache.adopt(path, digest)
        return Stored(digest, size)

    def existing(self, sha256: str) -> Path:
        if kept := self.cache.find(sha256):
            return kept
        self._make_room(self.size(sha256))
        with parts.part(self.cache.folder) as (file, path):
            self._fetch(sha256, file)
            return self.cache.adopt(path, sha256)

    def opened(self, sha256: str) -> BinaryIO:
        if kept := self.cache.find(sha256):
            return kept.open("rb")
        with explained(sha256):
            body = self.client.get_object(Bucket=self.bucket, Key=self.key(sha256))["Body"]
        return cast(BinaryIO, Verified(body, sha256))

    def size(self, sha256: str) -> int:
        with explained(sha256):
            return int(self.client.head_object(Bucket=self.bucket, Key=self.key(sha256))["ContentLength"])

    def free_bytes(self) -> int:
        return parts.free_bytes(self.cache.folder)

    def check(self) -> None:
        with explained(self.bucket):
            self.client.head_bucket(Bucket=self.bucket)

    def sweep(self) -> int:
        """Parts on this disk, and uploads in the bucket that were begun long ago: they cost room and are no files."""
        return parts.sweep(self.cache.folder) + self._abort_abandoned()

    def _holds(self, sha256: str, size: int) -> bool:
        try:
            return self.size(sha256) == size
        except Missing:
            return False

    def _make_room(self, size: int) -> None:
        """Room for a file of this size in the cache and on the disk. Raises StoreFull."""
        self.cache.make_room(size)
        if self.free_bytes() - size < settings.MIN_FREE_BYTES:
            raise StoreFull(f"too little free disk for a file of {size} bytes")

    def _fetch(self, sha256: str, file: BinaryIO) -> None:
        """The object's content, verified; a broken transfer goes on from where it broke."""
        digest, done = hashlib.sha256(), 0
        for tries_left in reversed(range(TRIES)):
            try:
                for chunk in self._chunks(sha256, done):
                    digest.update(chunk)
                    file.write(chunk)
                    done += len(chunk)
                break
            except StoreAway:
                if not tries_left:
                    raise
        file.flush()
        if digest.hexdigest() != sha256:
            logger.error("the object %s of the bucket %s is damaged", self.key(sha256), self.bucket)
            raise Missing(f"{sha256}, what is there under its name is damaged")

    def _chunks(self, sha256: str, start: int) -> Iterator[bytes]:
        where = {"Range": f"bytes={start}-"} if start else {}
        with explained(sha256):
            body = self.client.get_object(Bucket=self.bucket, Key=self.key(sha256), **where)["Body"]
            yield from body.iter_chunks(parts.CHUNK)

    def _abort_abandoned(self) -> int:
        gone = 0
        before = datetime.now(UTC) - timedelta(seconds=parts.ABANDONED_SECONDS)
        with explained(self.bucket):
            found = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=self.prefix)
            for upload in found.get("Uploads", ()):
                if upload["Initiated"] < before:
                    self.client.abort_multipart_upload(
                        Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                    gone += 1
        return gone
