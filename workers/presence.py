"""A worker's sign of life, the clearing up after its killed fellows, and the promise that its processes end with it."""

import contextlib
import ctypes
import logging
import os
import signal
import socket
import threading
import time

from celery.signals import task_received
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from dashboard.jobs.services import beat, gone
from workers import leftovers, offering
from workers.deafness import Hearing

logger = logging.getLogger(__name__)
BEAT_SECONDS = 10
WORKER = os.getpid()  # this module is imported before the pool is forked
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def announce(queues: list[str], processes: int) -> None:
    """Tell the database every ten seconds that this worker serves these queues and what it offers; clear up once in
    a lease.

    The same thread ends the worker when it has gone deaf (see deafness.py).
    """
    hearing = Hearing(queues, processes)
    task_received.connect(hearing.heard, weak=False)
    threading.Thread(target=_live, args=(queues, hearing), name="presence", daemon=True).start()


def leave() -> None:
    """Tell the database that this worker ends; one that is killed is missed after a while instead."""
    with contextlib.suppress(DatabaseError, InterfaceError):
        gone(name())


def end_with_parent() -> None:
    """A pool process must not outlive the worker that was killed: its lease would be renewed for nobody."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != WORKER:  # the worker was killed before the kernel was asked
        os._exit(1)


def name() -> str:
    """This worker's, the same in all its processes."""
    return f"{socket.gethostname()}:{WORKER}"


def _live(queues: list[str], hearing: Hearing) -> None:
    waiting = threading.Event()
    is_first, swept_at = True, float("-inf")
    while True:
        try:
            beat(name(), "worker", queues, offering.told(queues), is_first)
            is_first = False
            if time.monotonic() - swept_at >= settings.LEASE_SECONDS:
                swept_at = time.monotonic()
                leftovers.sweep()
            hearing.check()
        except (DatabaseError, InterfaceError):  # the second is none of the first
            logger.warning("the database is away", exc_info=True)
        except OSError:
            logger.warning("clearing up failed", exc_info=True)
        finally:
            connection.close()
        waiting.wait(min(BEAT_SECONDS, settings.LEASE_SECONDS))
