"""A worker's sign of life, and the promise that its processes end with it."""

import ctypes
import logging
import os
import signal
import socket
import threading

from django.db import DatabaseError, connection

from dashboard.jobs.services import beat

logger = logging.getLogger(__name__)
BEAT_SECONDS = 10
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def announce(queues: list[str]) -> None:
    """Tell the database every ten seconds that this worker serves these queues."""
    threading.Thread(target=_beat, args=(queues,), name="presence", daemon=True).start()


def end_with_parent() -> None:
    """A pool process must not outlive the worker that was killed: its lease would be renewed for nobody."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _beat(queues: list[str]) -> None:
    name, waiting = f"{socket.gethostname()}:{os.getpid()}", threading.Event()
    while True:
        try:
            beat(name, "worker", queues)
        except DatabaseError:
            logger.warning("the database is away", exc_info=True)
        finally:
            connection.close()
        waiting.wait(BEAT_SECONDS)
