"""The content-addressed store: whole files under their hash, limits, and nothing that leaves its folder."""

import hashlib
import io
from pathlib import Path

import pytest

from dashboard import files


def stored_paths(settings) -> list[Path]:
    return [path for path in settings.STORE_DIR.rglob("*") if path.is_file()]


def test_a_file_is_named_by_its_sha256():
    assert files.put(io.BytesIO(b"text")).sha256 == hashlib.sha256(b"text").hexdigest()


def test_a_file_comes_back_as_it_went_in():
    assert files.existing(files.put(io.BytesIO(b"text")).sha256).read_bytes() == b"text"


def test_the_same_bytes_are_kept_once(settings):
    files.put(io.BytesIO(b"text"))
    files.put(io.BytesIO(b"text"))
    assert len(stored_paths(settings)) == 1


def test_a_file_longer_than_a_chunk_is_whole():
    body = bytes(range(256)) * 10_000
    assert files.existing(files.put(io.BytesIO(body)).sha256).read_bytes() == body


def test_a_file_at_the_limit_is_taken():
    assert files.put(io.BytesIO(b"12345"), limit=5).size == 5


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(settings):
    with pytest.raises(files.TooLarge):
        files.put(io.BytesIO(b"123456"), limit=5)
    assert stored_paths(settings) == []


def test_a_full_disk_refuses_and_leaves_nothing(settings):
    settings.MIN_FREE_BYTES = 1 << 62
    with pytest.raises(files.StoreFull):
        files.put(io.BytesIO(b"x"))
    assert stored_paths(settings) == []


def test_a_stream_that_breaks_leaves_nothing(settings):
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("the client went away")

    with pytest.raises(files.StoreFull):
        files.put(Broken())
    assert stored_paths(settings) == []


def test_what_is_not_there_is_missing():
    with pytest.raises(files.Missing):
        files.existing("0" * 64)


@pytest.mark.parametrize(
    "name", ["", "..", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n", "/" * 64]
)
def test_only_a_sha256_becomes_a_path(name):
    with pytest.raises(ValueError, match="not a SHA-256"):
        files.path(name)
