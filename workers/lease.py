"""A running job's lease: a thread that renews it, writes progress and log, and notices when it is lost."""

import copy
import logging
import threading
import time
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import DatabaseError, connection

from dashboard.jobs.models import Fence, Job
from workers.errors import LeaseLost

logger = logging.getLogger(__name__)
TICK_SECONDS = 0.5
RENEW_SECONDS = 5.0  # also how soon a cancelled job is noticed, at the latest


class Lease:
    """Held while a step runs. Steps report through it and ask it whether to go on."""

    def __init__(self, job: Job, fence: Fence) -> None:
        self._row = copy.copy(job)  # an own object: the thread never touches the step's row
        self.fence = fence
        self.lost = threading.Event()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._stage: tuple[str, int, int] | None = None
        self._log: list[str] = []
        self._renewed_at = time.monotonic()
        self._thread = threading.Thread(target=self._keep, name=f"lease of {job}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join(timeout=30)

    # for steps

    def stage(self, name: str, done: int = 0, total: int = 0) -> None:
        """Note where the work is; shown on the page within a second."""
        with self._lock:
            self._stage = (name, done, total)

    def log(self, text: str) -> None:
        """Add to the job's log, which pages show live."""
        with self._lock:
            self._log.append(text)

    def is_lost(self) -> bool:
        """Must the work stop? Somebody cancelled it, or it is another worker's by now."""
        return self.lost.is_set()

    def check(self) -> None:
        """Raises LeaseLost when the work must stop."""
        if self.lost.is_set():
            raise LeaseLost

    def flush(self) -> None:
        """Write what was reported so far."""
        with self._lock:
            stage, self._stage = self._stage, None
            text, self._log = "".join(self._log), []
        if stage:
            self._row.reached(self.fence, *stage)
        if text:
            self._row.add_to_log(self.fence, text)

    # the thread

    def _keep(self) -> None:
        try:
            while not self._closing.wait(TICK_SECONDS):
                self._tick()
        finally:
            connection.close()

    def _tick(self) -> None:
        try:
            self.flush()
            if time.monotonic() - self._renewed_at >= min(settings.LEASE_SECONDS / 4, RENEW_SECONDS):
                self._renew()
        except DatabaseError:
            logger.warning("the database is away", exc_info=True)
            connection.close()
            self._give_up_in_time()
        except Exception:
            # Whatever it was (a text that cannot be stored, say), the lease must go on being renewed.
            logger.exception("progress could not be noted")
            self._give_up_in_time()

    def _renew(self) -> None:
        began = time.monotonic()
        if self._row.renew(self.fence):
            self._renewed_at = began
        else:
            self.lost.set()

    def _give_up_in_time(self) -> None:
        """Without a database nobody can tell whose the job is: stop before the lease may have ended."""
        if time.monotonic() - self._renewed_at > settings.LEASE_SECONDS * 0.8:
            self.lost.set()
