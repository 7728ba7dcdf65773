"""What every test gets: folders of its own, a database in a file, fast passwords, an empty cache."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.core.cache import cache
from django.db import connections
from django.db.backends.signals import connection_created
from pytest_django.fixtures import Settings

from dashboard.jobs.models import Heartbeat


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """SQLite as in production, in a file: threads of a live server do not share one connection's locks."""
    wanted = connections["default"].settings_dict
    if wanted["ENGINE"].endswith("sqlite3"):
        wanted["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


def _wait_for_others(connection: Any, **_: Any) -> None:
    """Emptying the tables between tests may meet a living worker's query: then theirs is given up, not ours."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET deadlock_timeout = '20s'")


connection_created.connect(_wait_for_others)


@pytest.fixture(scope="session", autouse=True)
def static_root(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A folder that is there before the live server looks for it."""
    site.STATIC_ROOT = str(tmp_path_factory.mktemp("static"))


@pytest.fixture(autouse=True)
def own_folders(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """Nothing a test stores is seen by the next one, nor by the developer's own site."""
    settings.DATA_DIR = tmp_path / "data"
    settings.STORE_DIR = tmp_path / "data" / "store"
    settings.WORK_DIR = tmp_path / "data" / "work"
    settings.MIN_FREE_BYTES = 0
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for folder in (settings.STORE_DIR, settings.WORK_DIR):
        folder.mkdir(parents=True)
    cache.clear()  # rate limits are counted there
    yield


@pytest.fixture
def converter(db: None) -> Heartbeat:
    """A worker that lives and converts: without one, nothing can be asked for that needs a conversion."""
    from tests.factories import make_converter

    return make_converter()
