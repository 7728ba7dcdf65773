"""A call into the vendor's library that never comes back ends the child, with a report that says which call."""

import os
import threading
import time
from contextlib import contextmanager

TICK_S = 0.1
INIT_S = 240.0  # a model that is not precompiled has been seen to take 100 s
CALL_S = 180.0  # dumping runs have been seen to take more than 80 s


class Watch:
    """`watch(call)` is a context: `expired(call, seconds)` is called on another thread when it is not left in time.

    `most_s` is the most that any single call gets.
    """

    def __init__(self, expired, most_s):
        self._expired, self._most = expired, most_s
        self._call, self._until, self._limit = "", None, 0.0
        threading.Thread(target=self._look, daemon=True).start()

    @contextmanager
    def __call__(self, call):
        self._limit = min(INIT_S if call == "rknn_init" else CALL_S, self._most)
        self._call, self._until = call, time.monotonic() + self._limit
        try:
            yield
        finally:
            self._until = None

    def _look(self):
        while True:
            until = self._until
            if until is not None and time.monotonic() > until:
                self._expired(self._call, self._limit)
            time.sleep(TICK_S)


def end_process(status):
    """End at once, without the library's destructors: they belong to a library that hangs or has crashed before."""
    os._exit(status)
