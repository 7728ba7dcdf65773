"""One S3 server for all tests here, a bucket for each."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from dashboard.env import Bucket
from dashboard.files.client import client
from tests.files.s3server import KEY_ID, SECRET, make_bucket, s3_server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3") / "log") as address:
        yield address


@pytest.fixture
def bucket(endpoint: str, settings: Settings, tmp_path: Path) -> Bucket:
    """The store is a bucket of its own, with an empty cache."""
    settings.STORE_BUCKET = make_bucket(endpoint, f"files-{next(_numbers)}", "layerwise/")
    settings.STORE_KEY_ID, settings.STORE_SECRET = KEY_ID, SECRET
    settings.STORE_CACHE_DIR = tmp_path / "cache"
    settings.STORE_CACHE_BYTES = 100_000_000
    settings.STORE_DIR = tmp_path / "nothing may come here"
    return settings.STORE_BUCKET  # type: ignore[no-any-return]


@pytest.fixture
def s3(bucket: Bucket) -> Any:
    """The client of the bucket's server, to look behind the store."""
    return client(bucket, KEY_ID, SECRET)
