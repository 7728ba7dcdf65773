"""The dispatcher: rings for queued rows, takes back what is no longer renewed, refuses what waited in vain.

Runs as `manage.py dispatcher`; several may run. Everything it does may be done twice without harm. It imports no
task: a message is a task's name and a row's id.
"""

import contextlib
import functools
import logging
import os
import socket
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, close_old_connections, transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from dashboard.celery import app
from dashboard.health import services as health
from dashboard.jobs.models import Job, kinds
from dashboard.jobs.services import beat, gone, jobs_in_vain, note_published, overdue, take_back
from dashboard.pipeline import advance
from dashboard.registration.services import tidy
from dashboard.telemetry.services import thin
from dashboard.telemetry.sites import note_sites

logger = logging.getLogger(__name__)
BATCH = 200
MOST_MESSAGES = 1000
TICK_SECONDS = 0.2


class Dispatcher:
    """One loop: ring often, sweep every few seconds, and never give up because Redis or the database is away."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.stopping = threading.Event()
        self._swept_at = float("-inf")
        self._held_since: float | None = None

    def run(self) -> None:
        while not self.stopping.is_set():
            self.turn()
            self.stopping.wait(TICK_SECONDS)
        with contextlib.suppress(DatabaseError):
            gone(self.name)

    def turn(self) -> None:
        """One round; troubles with Redis or the database are logged and end with the round."""
        try:
            close_old_connections()
            if time.monotonic() - self._swept_at >= settings.SWEEP_SECONDS:
                self._swept_at = time.monotonic()
                beat(self.name, "dispatcher")
                health.turn()
                tidy()
                self.sweep()
                note_sites()
                thin()
            self.ring()  # last: without Redis the rest must still be done
        except (OperationalError, RedisError, OSError) as error:
            logger.warning("redis is away: %s", error)
            self.stopping.wait(1)
        except DatabaseError:
            logger.exception("the database is away")
            self.stopping.wait(1)
        except Exception:
            logger.exception("a round failed")  # the next one is as good as a restart
            self.stopping.wait(1)

    def ring(self) -> int:
        """Publish what is queued and was not told lately; returns how many messages went out."""
        rung = 0
        is_full = functools.cache(has_enough_messages)
        for kind in kinds():
            for job in kind.to_tell().defer("log")[: kind.most_at_once()]:
                if job.published_at and is_full(job.queue):
                    continue  # nobody lost its message, the workers are behind
                if tell(job):
                    rung += 1
        return rung

    def sweep(self) -> None:
        """Take back unrenewed jobs, unless so many at once that the fault is more likely ours."""
        now = overdue()
        if now.is_too_many and not self._has_waited():
            logger.error("holding back: %s of %s running jobs look lost", now.overdue, now.running)
            return
        self._held_since = None
        for kind in kinds():
            for job in kind.objects.unrenewed().defer("log")[:BATCH]:
                self._end(job, take_back)
            for job in jobs_in_vain(kind)[:BATCH]:
                self._end(job, give_up)

    def _end(self, job: Job, how: Callable[[Job], bool]) -> None:
        """End (or queue again) one job, together with what follows from its end."""
        with transaction.atomic():
            if how(job):
                logger.warning("%s ended by the dispatcher: %s", job, job.failure or job.state)
                advance(job)

    def _has_waited(self) -> bool:
        """Live workers renew within one lease; after that long, what is still unrenewed is really lost."""
        self._held_since = self._held_since or time.monotonic()
        return time.monotonic() - self._held_since > settings.LEASE_SECONDS


def tell(job: Job) -> bool:
    """Ring for one job. A row that nobody can ring for is left alone for a while, so that it stops no other."""
    try:
        publish(job)
    except (OperationalError, OSError):
        raise
    except Exception:
        logger.exception("%s cannot be rung for", job)
        note_published(job)
        return False
    note_published(job)
    return True


def publish(job: Job) -> None:
    """Send the hint: no retry here, the next round is the retry."""
    app.send_task(job.task, args=[job.pk], queue=job.queue, retry=False, ignore_result=True)


def has_enough_messages(queue: str) -> bool:
    """Do so many messages wait in Redis that ringing again would only make them more?"""
    with app.pool.acquire(block=True) as connection:
        return bool(connection.default_channel.client.llen(queue) >= MOST_MESSAGES)


def give_up(job: Job) -> bool:
    """Refuse a job that nobody could take in time."""
    return job.refuse(job.in_vain, "It waited too long for somebody who can do it.")
