"""A worker that is connected and yet gets no more messages ends itself, so that whoever started it starts it again.

Celery on Redis is known to go deaf after trouble with the connection (celery issues 8030, 8091, 9054, 10205). Only
the database can tell: jobs that this worker could do were told of again and again, it has processes to spare, and
no message came.
"""

import logging
import os
import signal
import time
from collections.abc import Collection

from django.conf import settings

from dashboard.conversions.models import Conversion
from dashboard.jobs.models import Job, State, kinds
from workers import offering
from workers.lifecycle import PROCESS

logger = logging.getLogger(__name__)
RINGS = 3  # so many times a job must have been told of in vain
LOOKED_AT = 200


class Hearing:
    """When this worker last got a message, and whether it should have got one since."""

    def __init__(self, queues: Collection[str], processes: int) -> None:
        self._queues, self._processes = frozenset(queues), processes
        self._well_at = time.monotonic()
        self._was_asked = False

    def heard(self, **_: object) -> None:
        """A message came."""
        self._well_at = time.monotonic()

    def is_deaf(self) -> bool:
        """Did jobs wait for long while this worker had a process to spare and heard nothing? Raises DatabaseError."""
        if busy() >= self._processes or not is_called(self._queues):
            self._well_at = time.monotonic()
            return False
        return time.monotonic() - self._well_at > RINGS * settings.RING_AGAIN_SECONDS

    def check(self) -> None:
        """End this worker when it is deaf: softly, as a restart does, and with force when it does not hear that."""
        if self.is_deaf():
            logger.critical("no message came though jobs wait: this worker ends, to be started again")
            os.kill(os.getpid(), signal.SIGKILL if self._was_asked else signal.SIGTERM)
            self._was_asked = True
            self._well_at = time.monotonic()


def busy() -> int:
    """How many jobs the processes of this worker are doing."""
    return sum(
        kind._default_manager.filter(state=State.RUNNING, owner__endswith=f":{PROCESS}").count()
        for kind in kinds()
    )


def is_called(queues: Collection[str]) -> bool:
    """Does a job of these queues wait that workers have been told of, and that this one can do?"""
    for kind in kinds():
        told = kind._default_manager.called().defer("log")
        if any(job.queue in queues and _is_for_us(job) for job in told.order_by("pk")[:LOOKED_AT]):
            return True
    return False


def _is_for_us(job: Job) -> bool:
    return not isinstance(job, Conversion) or offering.is_for_us(job)
