"""The content-addressed store, the same for a folder and for a bucket: whole files under their hash, and limits."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from dashboard import files

BODY = bytes(range(256)) * 10_000


@pytest.fixture(params=["folder", "bucket"])
def kept(request: pytest.FixtureRequest, settings: Settings) -> Callable[[], list[str]]:
    """Where the store is; lists the names of what it holds, halves included."""
    if request.param == "folder":
        folder = Path(settings.STORE_DIR)
        return lambda: [path.name for path in folder.rglob("*") if path.is_file()]
    bucket, s3 = request.getfixturevalue("bucket"), request.getfixturevalue("s3")
    cache = Path(settings.STORE_CACHE_DIR) / "incoming"

    def listed() -> list[str]:
        found: Any = s3.list_objects_v2(Bucket=bucket.name).get("Contents", [])
        return [one["Key"].rsplit("/")[-1] for one in found] + [path.name for path in cache.glob("*")]

    return listed


pytestmark = pytest.mark.usefixtures("kept")


class Broken(io.BytesIO):
    """A client that goes away in the middle."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError("the client went away")


def test_a_file_is_named_by_its_sha256() -> None:
    assert files.put(io.BytesIO(b"text")).sha256 == hashlib.sha256(b"text").hexdigest()


def test_a_file_comes_back_as_it_went_in() -> None:
    assert files.existing(files.put(io.BytesIO(b"text")).sha256).read_bytes() == b"text"


def test_a_file_comes_back_as_a_stream() -> None:
    with files.opened(files.put(io.BytesIO(BODY)).sha256) as stream:
        assert stream.read() == BODY


def test_a_file_of_this_machine_is_stored(tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(b"text")
    assert files.existing(files.put_path(tmp_path / "own").sha256).read_bytes() == b"text"


def test_the_size_of_a_file_is_told() -> None:
    assert files.size(files.put(io.BytesIO(BODY)).sha256) == len(BODY)


def test_the_same_bytes_are_kept_once(kept: Callable[[], list[str]]) -> None:
    files.put(io.BytesIO(b"text"))
    files.put(io.BytesIO(b"text"))
    assert len(kept()) == 1


def test_a_file_longer_than_a_chunk_is_whole() -> None:
    assert files.existing(files.put(io.BytesIO(BODY)).sha256).read_bytes() == BODY


def test_an_empty_file_is_a_file() -> None:
    assert files.existing(files.put(io.BytesIO(b"")).sha256).read_bytes() == b""


def test_a_file_at_the_limit_is_taken() -> None:
    assert files.put(io.BytesIO(b"12345"), limit=5).size == 5


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(kept: Callable[[], list[str]]) -> None:
    with pytest.raises(files.TooLarge):
        files.put(io.BytesIO(b"123456"), limit=5)
    assert kept() == []


def test_a_full_disk_refuses_and_leaves_nothing(settings: Settings, kept: Callable[[], list[str]]) -> None:
    settings.MIN_FREE_BYTES = 1 << 62
    with pytest.raises(files.StoreFull):
        files.put(io.BytesIO(b"x"))
    assert kept() == []


def test_a_stream_that_breaks_leaves_nothing(kept: Callable[[], list[str]]) -> None:
    with pytest.raises(files.StoreFull):
        files.put(Broken())
    assert kept() == []


@pytest.mark.parametrize("ask", [files.existing, files.opened, files.size])
def test_what_is_not_there_is_missing(ask: Callable[[str], object]) -> None:
    with pytest.raises(files.Missing):
        ask("0" * 64)


@pytest.mark.parametrize("ask", [files.existing, files.opened, files.size])
@pytest.mark.parametrize(
    "name", ["", "..", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n", "/" * 64]
)
def test_only_a_sha256_becomes_a_name(ask: Callable[[str], object], name: str) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        ask(name)


def test_a_store_that_is_there_says_so() -> None:
    files.check()
