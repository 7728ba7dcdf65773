"""One stack for all tests here: a real Redis, one Celery worker with two processes, a dispatcher, a simulated board."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.db import connections
from pytest_django.fixtures import Settings

from dashboard.celery import app
from dashboard.dispatch import publish
from dashboard.jobs.models import Heartbeat, Job
from dashboard.jobs.services import alive, beat
from dashboard.supervisor import redis_server
from tests.chaos.processes import wait_until
from tests.chaos.settings import TIMES
from tests.chaos.stack import Stack
from tests.chaos.work import Work

PATIENCE_S = 60.0


def database_url() -> str:
    """The database of the tests, as the stack's processes are told it."""
    told: dict[str, Any] = connections["default"].settings_dict
    if told["ENGINE"].endswith("sqlite3"):
        return f"sqlite:///{told['NAME']}"
    return "postgres://{}:{}@{}:{}/{}".format(
        *(quote(str(told[part]), safe="") for part in ("USER", "PASSWORD", "HOST", "PORT", "NAME"))
    )


@pytest.fixture(scope="module")
def told(django_db_setup: None, django_db_blocker: Any) -> dict[str, str]:
    """What processes of the product are told, so that they work on the database of the tests.

    Skips, with the reason, where there is no Redis.
    """
    try:
        redis_server.program()
    except redis_server.NoRedis as error:
        pytest.skip(str(error))
    with django_db_blocker.unblock():
        return {"LAYERWISE_DATABASE_URL": database_url(), "LAYERWISE_SECRET_KEY": django_settings.SECRET_KEY}


@pytest.fixture(scope="module")
def running(told: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack; it ends with the module, because its dispatcher would do the queued jobs of other tests."""
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, told, workers=1, quirks=((),)) as stack:
        yield stack


@pytest.fixture
def stack(running: Stack, settings: Settings, transactional_db: None) -> Iterator[Stack]:
    """The stack, whole again before each test, and the folders where its processes keep files."""
    settings.STORE_DIR, settings.WORK_DIR = running.folder / "store", running.folder / "work"
    settings.LEASE_SECONDS = int(TIMES["LAYERWISE_LEASE_SECONDS"])
    app.conf.broker_url = running.redis_url
    running.keep()
    for worker in running.workers:
        worker.wait_until_ready()
    bring_back_signs_of_life(running)
    yield running


def bring_back_signs_of_life(running: Stack) -> None:
    """An emptied database lost the workers' registrations too, which they would write again within seconds."""
    for worker in running.workers:
        mine = f":{worker.pid}"
        for row in _registrations.get(mine, []):
            beat(row.name, row.role, row.queues, row.offers, is_first=True)
        if mine not in _registrations:
            signs = alive("worker").filter(name__endswith=mine)
            assert wait_until(signs.exists, PATIENCE_S), "a worker has not registered"
            _registrations[mine] = list(signs)


_registrations: dict[str, list[Heartbeat]] = {}  # by the worker's process, as it wrote them itself


@pytest.fixture
def work(stack: Stack) -> Work:
    """A project that may use the stack's board."""
    work = Work.begin()
    work.register(stack.boards[0])
    return work


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait until something is so; fails with what was waited for."""

    def wait(is_so: Callable[[], object]) -> None:
        assert wait_until(is_so, PATIENCE_S), "it did not come to pass in time"

    return wait


@pytest.fixture
def ring() -> Callable[[Job, int], None]:
    """Send so many messages about a job."""

    def send(job: Job, times: int) -> None:
        for _ in range(times):
            publish(job)

    return send
