"""Ends a wait from outside at an absolute deadline, because some waits inside an SSH library have none."""

import threading
import time
from collections.abc import Callable


class Watchdog:
    """Calls `end` at `deadline` (monotonic seconds) unless stopped before; `fired` says whether it did."""

    def __init__(self, end: Callable[[], object], deadline: float) -> None:
        self.fired = False
        self._end = end
        self._timer = threading.Timer(max(0.0, deadline - time.monotonic()), self._fire)
        self._timer.daemon = True
        self._timer.start()

    def _fire(self) -> None:
        self.fired = True
        self._end()

    def stop(self) -> None:
        """The wait is over; the watchdog's thread is gone when this returns."""
        self._timer.cancel()
        self._timer.join()
