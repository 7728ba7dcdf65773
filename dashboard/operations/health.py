"""Is everything there that the site needs? One small check each; none of them can hang a request."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from dashboard import files
from dashboard.jobs.services import alive
from dashboard.telemetry.sites import site_states

PING_SECONDS = 1.0
PING_LIMIT = 2.0  # connecting and asking, and a name server that does not answer
PLAIN_QUEUES = ("inspect", "convert.reference", "convert.ready", "compare")
# one thread: while a ping hangs, later ones wait for it and are given up on in time
_pings = ThreadPoolExecutor(max_workers=1, thread_name_prefix="redis-ping")
_looks = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-look")


@dataclass(frozen=True)
class Check:
    """One part of the site: whether it is there, and what an operator should know.

    Without one that is not vital the site still serves: a lab that lost its worker keeps nobody else from working.
    """

    name: str
    ok: bool
    says: str

    @property
    def is_vital(self) -> bool:
        return self.name != "sites"


def readiness() -> list[Check]:
    """Every check, in the order in which a broken site is mended."""
    return [_guarded(name, check) for name, check in CHECKS.items()]


def served_queues() -> set[str]:
    """Queues of the workers that live."""
    lists = alive("worker").values_list("queues", flat=True)
    return {str(queue) for queues in lists for queue in queues}


def ping_redis(url: str) -> None:
    """Ask Redis once, without another try. Raises whatever the client raises."""
    client = redis.Redis.from_url(
        url.replace("redis+socket://", "unix://"),
        socket_timeout=PING_SECONDS,
        socket_connect_timeout=PING_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        client.ping()
    finally:
        client.close()


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "answers"


def _redis() -> str:
    future: Future[None] = _pings.submit(ping_redis, settings.REDIS_URL)
    try:
        future.result(timeout=PING_LIMIT)
    except Exception as error:  # whatever answers there may be anything but a Redis
        future.cancel()
        raise NotThere("does not answer; jobs wait, nothing is lost") from error
    return "answers"


def _store() -> str:
    future: Future[None] = _looks.submit(files.check)
    try:
        future.result(timeout=PING_LIMIT)
    except Exception as error:
        future.cancel()
        raise NotThere(f"does not answer; files wait, nothing is lost: {error}"[:300]) from error
    return "answers"


def _dispatcher() -> str:
    number = alive("dispatcher").count()
    if not number:
        raise NotThere("no dispatcher lives: start manage.py dispatcher")
    return f"{number} alive"


def _workers() -> str:
    missing = sorted(set(PLAIN_QUEUES) - served_queues())
    if missing:
        raise NotThere(f"no worker serves {', '.join(missing)}")
    return "inspections, conversions and comparisons are served"


def _sites() -> str:
    states = site_states()
    if silent := [state.says for state in states if not state.is_served]:
        raise NotThere("; ".join(silent))
    return f"{len(states)} sites with boards, each with a worker"


def _disk() -> str:
    free = files.free_bytes()
    if free < settings.MIN_FREE_BYTES:
        raise NotThere(f"{free // 1_000_000} MB free, less than LAYERWISE_MIN_FREE_MB")
    return f"{free // 1_000_000} MB free"


class NotThere(Exception):
    """A part is missing; the text says which and what to do."""


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "redis": _redis,
    "store": _store,
    "dispatcher": _dispatcher,
    "workers": _workers,
    "sites": _sites,
    "disk": _disk,
}


def _guarded(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, True, check())
    except NotThere as error:
        return Check(name, False, str(error))
    except DatabaseError:
        return Check(name, False, "the database does not answer")
    except OSError as error:
        return Check(name, False, error.strerror or "the system refuses")
