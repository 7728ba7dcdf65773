"""A running job's lease: renewed by the keeper, which also writes progress and log, and notices when it is lost.

A process has one keeper however many jobs its threads do: one thread, one connection to the database.
"""

import contextlib
import copy
import logging
import threading
import time
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from dashboard.jobs.models import Fence, Job
from workers.errors import LeaseLost

logger = logging.getLogger(__name__)
TICK_SECONDS = 0.5
CLOSE_SECONDS = 30.0
RENEW_SECONDS = 5.0  # also how soon a cancelled job is noticed, at the latest


class Lease:
    """Held while a step runs. Steps report through it and ask it whether to go on."""

    def __init__(self, job: Job, fence: Fence) -> None:
        self._row = copy.copy(job)  # an own object: the thread never touches the step's row
        self.fence = fence
        self.lost = threading.Event()
        self.is_let_go = False
        self._closed = False
        self._ticking = threading.Lock()
        self._lock = threading.Lock()
        self._stage: tuple[str, int, int] | None = None
        self._log: list[str] = []
        self._renewed_at = time.monotonic()
        self._until = self._renewed_at + job.longest_seconds()

    def __enter__(self) -> Self:
        KEEPER.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ticking.acquire(timeout=CLOSE_SECONDS):  # nothing is written once the step has ended
            self._closed = True
            self._ticking.release()
        KEEPER.remove(self)

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

    def let_go(self) -> None:
        """This worker ends: the work must stop, and the job is queued again."""
        self.is_let_go = True
        self.lost.set()

    # for the keeper

    def tick(self) -> None:
        """Write what was reported, renew in time. Raises OperationalError, InterfaceError: the database is away."""
        with self._ticking:
            if self._closed:
                return
            try:
                self.flush()
                if time.monotonic() - self._renewed_at >= min(settings.LEASE_SECONDS / 4, RENEW_SECONDS):
                    self._renew()
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                # Whatever it was (a text that cannot be stored, say), the lease must go on being renewed.
                logger.exception("progress could not be noted")
                self.give_up_in_time()

    def _renew(self) -> None:
        """Renew, but not for ever: a step that hangs beyond its own limits keeps its board from nobody."""
        began = time.monotonic()
        if began < self._until and self._row.renew(self.fence):
            self._renewed_at = began
        else:
            self.lost.set()

    def give_up_in_time(self) -> None:
        """Without a database nobody can tell whose the job is: stop before the lease may have ended."""
        if time.monotonic() - self._renewed_at > settings.LEASE_SECONDS * 0.8:
            self.lost.set()


class Keeper:
    """The thread that keeps the leases of this process; it lives, and has a connection, while there are any."""

    def __init__(self) -> None:
        self._leases: set[Lease] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_ending = False

    def add(self, lease: Lease) -> None:
        with self._changed:
            if self._is_ending:
                lease.let_go()
            self._leases.add(lease)
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)
                self._thread.start()

    def remove(self, lease: Lease) -> None:
        """Keep this lease no longer; with the last one the thread ends and gives its connection back."""
        with self._changed:
            self._leases.discard(lease)
            thread = self._thread
            self._changed.notify_all()
            # another thread of this process may add a lease meanwhile: then the keeper goes on
            self._changed.wait_for(lambda: self._leases or self._thread is not thread, CLOSE_SECONDS)
            has_ended = self._thread is not thread
        if thread and has_ended:
            thread.join(CLOSE_SECONDS)

    def let_go(self) -> None:
        """Let every lease go, those that come late too: this worker ends."""
        with self._changed:
            self._is_ending = True
        for lease in self._held():
            lease.let_go()

    def _held(self) -> list[Lease]:
        with self._changed:
            return list(self._leases)

    def _keep(self) -> None:
        try:
            while self._is_needed():
                self._round()
        finally:
            connection.close()

    def _is_needed(self) -> bool:
        """After a while, or at once when the last lease has gone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._leases, TICK_SECONDS)
            if not self._leases:
                self._thread = None
                self._changed.notify_all()
            return self._thread is not None

    def _round(self) -> None:
        leases = self._held()
        try:
            for lease in leases:
                lease.tick()
        except (DatabaseError, InterfaceError):  # the second is none of the first
            logger.warning("the database is away", exc_info=True)
            with contextlib.suppress(DatabaseError, InterfaceError):
                connection.close()
            for lease in leases:  # asking for each in vain would take longer than they last
                lease.give_up_in_time()


KEEPER = Keeper()
