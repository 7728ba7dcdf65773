"""A real S3 server as a process of its own (moto's), and buckets in it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboard.env import Bucket
from dashboard.files.client import client
from dashboard.supervisor import kernel
from dashboard.supervisor.sockets import free_port
from tests.chaos.processes import wait_until

KEY_ID, SECRET = "layerwise", "not a secret"


@contextmanager
def s3_server(log: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """Runs for as long as the block lasts; yields the address of the server."""
    port, parent = free_port(), os.getpid()
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)],
            stdout=out,
            stderr=out,
            preexec_fn=lambda: kernel.die_with(parent, signal.SIGKILL),  # noqa: PLW1509 - one thread
        ) as process,
    ):
        try:
            assert wait_until(lambda: answers(host, port) or process.poll() is not None, 60)
            assert process.poll() is None, log.read_text()
            yield f"http://{host}:{port}"
        finally:
            process.terminate()


def answers(host: str, port: int) -> bool:
    """Does somebody listen there?"""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def make_bucket(endpoint: str, name: str, prefix: str = "") -> Bucket:
    """A new, empty bucket."""
    where = Bucket(name, prefix, endpoint, "us-east-1")
    client(where, KEY_ID, SECRET).create_bucket(Bucket=name)
    return where
