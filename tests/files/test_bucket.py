"""A bucket and its cache: what is damaged, away, refused, too large or broken off, and what leaves the cache when."""

import hashlib
import http.server
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from dashboard import files
from dashboard.env import Bucket
from dashboard.files.cache import IN_USE_SECONDS, Cache
from dashboard.supervisor.sockets import free_port
from tests.files.cutting import Cutter, cutter_to

MB = 1_000_000


def put(size: int, first: int = 0) -> files.Stored:
    """A file of so many bytes that no other has."""
    return files.put(io.BytesIO(bytes([first]) + os.urandom(size - 1)))


def forget(settings: Settings, age_s: float = 10 * IN_USE_SECONDS) -> None:
    """Let every file of the cache have been asked for that long ago."""
    for path in Path(settings.STORE_CACHE_DIR).glob("??/*"):
        os.utime(path, (time.time() - age_s,) * 2)


def empty(settings: Settings) -> None:
    """Throw the cache away, as another machine has none."""
    for path in Path(settings.STORE_CACHE_DIR).glob("??/*"):
        path.unlink()


def cached(settings: Settings) -> set[str]:
    return {path.name for path in Path(settings.STORE_CACHE_DIR).glob("??/*")}


def key_of(bucket: Bucket, sha256: str) -> str:
    return f"{bucket.prefix}{sha256[:2]}/{sha256}"


def test_another_machine_gets_the_file(bucket: Bucket, settings: Settings) -> None:
    stored = put(3 * MB)
    empty(settings)
    assert hashlib.sha256(files.existing(stored.sha256).read_bytes()).hexdigest() == stored.sha256


def test_keys_begin_with_the_prefix(bucket: Bucket, s3: Any) -> None:
    stored = put(10)
    assert s3.head_object(Bucket=bucket.name, Key=f"layerwise/{stored.sha256[:2]}/{stored.sha256}")


def test_what_is_in_the_cache_is_not_fetched_again(bucket: Bucket, s3: Any) -> None:
    stored = put(10)
    s3.delete_object(Bucket=bucket.name, Key=key_of(bucket, stored.sha256))
    assert files.existing(stored.sha256).is_file()


def test_a_large_file_goes_up_in_parts(bucket: Bucket, settings: Settings) -> None:
    stored = put(70 * MB)
    empty(settings)
    assert files.existing(stored.sha256).stat().st_size == 70 * MB


class TestDamage:
    """Another content under the name of a file."""

    @pytest.fixture
    def damaged(self, bucket: Bucket, s3: Any, settings: Settings) -> str:
        stored = put(3 * MB)
        s3.put_object(Bucket=bucket.name, Key=key_of(bucket, stored.sha256), Body=b"x" * 3 * MB)
        empty(settings)
        return stored.sha256

    def test_it_is_as_good_as_missing(self, damaged: str) -> None:
        with pytest.raises(files.Missing, match="damaged"):
            files.existing(damaged)

    def test_it_does_not_come_into_the_cache(self, damaged: str, settings: Settings) -> None:
        with pytest.raises(files.Missing):
            files.existing(damaged)
        assert [path for path in Path(settings.STORE_CACHE_DIR).rglob("*") if path.name == damaged] == []

    def test_a_stream_of_it_has_no_good_end(self, damaged: str) -> None:
        with files.opened(damaged) as stream, pytest.raises(OSError, match="damaged"):
            while stream.read(MB):
                pass


class TestEviction:
    """The cache holds five files of this size."""

    @pytest.fixture(autouse=True)
    def small(self, bucket: Bucket, settings: Settings) -> None:
        settings.STORE_CACHE_BYTES = 5 * MB

    def test_what_was_asked_for_longest_ago_goes(self, settings: Settings) -> None:
        old = put(MB)
        forget(settings)
        newer = [put(MB) for _ in range(5)]
        assert cached(settings) == {one.sha256 for one in newer} - {old.sha256}

    def test_asking_keeps_a_file(self, settings: Settings) -> None:
        asked, other = put(MB), put(MB)
        forget(settings)
        files.existing(asked.sha256)
        for _ in range(4):
            put(MB)
        assert (asked.sha256 in cached(settings), other.sha256 in cached(settings)) == (True, False)

    def test_what_may_be_in_use_stays_though_it_is_too_much(self, settings: Settings) -> None:
        stored = {put(MB).sha256 for _ in range(8)}
        assert cached(settings) == stored

    def test_an_evicted_file_comes_back(self, settings: Settings) -> None:
        old = put(MB)
        forget(settings)
        for _ in range(5):
            put(MB)
        assert files.existing(old.sha256).stat().st_size == MB

    def test_room_is_made_before_a_file_is_fetched(self, settings: Settings) -> None:
        stored = [put(MB) for _ in range(5)]
        empty(settings)
        others = [put(MB) for _ in range(5)]
        forget(settings)
        files.existing(stored[0].sha256)
        assert len(cached(settings) & {one.sha256 for one in others}) == 4

    def test_an_open_file_may_be_read_to_its_end(self, settings: Settings) -> None:
        old = put(MB)
        with files.existing(old.sha256).open("rb") as stream:
            forget(settings)
            for _ in range(6):
                put(MB)
            assert len(stream.read()) == MB

    def test_many_processes_may_evict_at_once(self, settings: Settings) -> None:
        for _ in range(5):
            put(MB)
        forget(settings)
        cache = Cache(Path(settings.STORE_CACHE_DIR), MB)
        threads = [threading.Thread(target=cache.make_room, args=(0,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(cached(settings)) == 1


def test_no_file_is_fetched_that_the_disk_has_no_room_for(bucket: Bucket, settings: Settings) -> None:
    stored = put(3 * MB)
    empty(settings)
    settings.MIN_FREE_BYTES = files.free_bytes() - MB
    with pytest.raises(files.StoreFull):
        files.existing(stored.sha256)


class TestAway:
    """Nobody listens where the bucket should be."""

    @pytest.fixture(autouse=True)
    def away(self, bucket: Bucket, settings: Settings) -> str:
        stored = put(10)
        empty(settings)
        settings.STORE_BUCKET = replace(bucket, endpoint=f"http://127.0.0.1:{free_port()}")
        return stored.sha256

    def test_reading_says_so(self, away: str) -> None:
        with pytest.raises(files.StoreAway):
            files.existing(away)

    def test_writing_says_so_and_leaves_nothing(self, settings: Settings) -> None:
        with pytest.raises(files.StoreAway):
            put(10)
        assert [path for path in Path(settings.STORE_CACHE_DIR).rglob("*") if path.is_file()] in (
            [],
            [Path(settings.STORE_CACHE_DIR) / "lock"],
        )

    def test_asking_for_a_sign_of_life_says_so(self) -> None:
        with pytest.raises(files.StoreAway):
            files.check()

    def test_what_is_in_the_cache_is_still_there(self, bucket: Bucket, settings: Settings) -> None:
        settings.STORE_BUCKET, elsewhere = bucket, settings.STORE_BUCKET
        stored = put(10)
        settings.STORE_BUCKET = elsewhere
        assert files.existing(stored.sha256).is_file()


def test_a_bucket_that_is_not_there_is_no_missing_file(bucket: Bucket, settings: Settings) -> None:
    settings.STORE_BUCKET = replace(bucket, name="nobody-made-this")
    with pytest.raises(files.StoreAway, match="bucket"):
        put(10)


class Refusing(http.server.BaseHTTPRequestHandler):
    """An S3 server that says the same to everything."""

    status, code = 403, "AccessDenied"

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        body = f"<?xml version='1.0'?><Error><Code>{self.code}</Code><Message>no</Message></Error>".encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(0 if self.command == "HEAD" else len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


class Full(Refusing):
    """Knows no file, and takes none."""

    status, code = 507, "XMinioStorageFull"

    def do_HEAD(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def answering(
    bucket: Bucket, settings: Settings, request: pytest.FixtureRequest
) -> Iterator[http.server.ThreadingHTTPServer]:
    """The store is a server of this kind."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), request.param) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        settings.STORE_BUCKET = replace(bucket, endpoint=f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
        thread.join(5)


@pytest.mark.parametrize("answering", [Refusing], indirect=True)
@pytest.mark.usefixtures("answering")
def test_a_key_that_is_refused_is_told_as_such() -> None:
    with pytest.raises(files.StoreAway, match="403"):
        files.existing("0" * 64)


@pytest.mark.parametrize("answering", [Full], indirect=True)
@pytest.mark.usefixtures("answering")
def test_a_bucket_without_room_is_a_full_store() -> None:
    with pytest.raises(files.StoreFull):
        put(10)


class TestBrokenTransfers:
    """Connections that are reset on the way down."""

    @pytest.fixture
    def cutter(self, bucket: Bucket, settings: Settings, endpoint: str) -> Iterator[Cutter]:
        with cutter_to(int(endpoint.rsplit(":", maxsplit=1)[-1])) as cutter:
            settings.STORE_BUCKET = replace(bucket, endpoint=f"http://127.0.0.1:{cutter.port}")
            yield cutter

    def test_a_download_goes_on_where_it_broke(self, cutter: Cutter, settings: Settings) -> None:
        stored = put(8 * MB)
        empty(settings)
        cutter.after, cutter.cuts = 3 * MB, 2
        assert (files.existing(stored.sha256).stat().st_size, cutter.cuts) == (8 * MB, 0)

    def test_one_that_breaks_again_and_again_is_given_up(self, cutter: Cutter, settings: Settings) -> None:
        stored = put(8 * MB)
        empty(settings)
        cutter.after, cutter.cuts = 100_000, 1000
        with pytest.raises(files.StoreAway):
            files.existing(stored.sha256)


def test_uploads_that_were_given_up_long_ago_are_aborted(bucket: Bucket, s3: Any) -> None:
    s3.create_multipart_upload(Bucket=bucket.name, Key="layerwise/ab/old")  # this server says: begun in 2010
    assert (files.sweep(), s3.list_multipart_uploads(Bucket=bucket.name).get("Uploads")) == (1, None)


def test_uploads_of_others_in_the_bucket_are_left_alone(bucket: Bucket, s3: Any) -> None:
    s3.create_multipart_upload(Bucket=bucket.name, Key="elsewhere/ab/old")
    assert files.sweep() == 0


MEASURE = """
import re, sys, django
django.setup()
from dashboard import files

def peak_kb():
    # of this program alone: getrusage counts what the process was before it became this program
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])

class Zeros:
    left = int(sys.argv[1])
    def read(self, size=-1):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)

files.put(__import__("io").BytesIO(b"warm"))
before = peak_kb()
stored = files.put(Zeros())
for path in __import__("pathlib").Path(sys.argv[2]).glob("??/*"):
    path.unlink()
files.existing(stored.sha256)
print(peak_kb() - before)
"""


def test_memory_does_not_grow_with_the_file(bucket: Bucket, settings: Settings, tmp_path: Path) -> None:
    told = {
        **os.environ,
        "LAYERWISE_DATA": str(tmp_path / "elsewhere"),
        "LAYERWISE_STORE": f"s3://{bucket.name}/x?endpoint={bucket.endpoint}",
        "LAYERWISE_STORE_KEY_ID": settings.STORE_KEY_ID,
        "LAYERWISE_STORE_SECRET": settings.STORE_SECRET,
        "LAYERWISE_MIN_FREE_MB": "0",
    }
    cache = str(tmp_path / "elsewhere" / "store-cache")
    grown = subprocess.run(
        [sys.executable, "-c", MEASURE, str(300 * MB), cache],
        env=told, cwd=settings.BASE_DIR, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert int(grown) < 40_000  # KB; the file has 300 MB
