"""A worker that was asked to stop is gone in time, also when Celery is not.

Its handler of the signal stops the pool and waits for the pool's processes (celery/apps/worker.py, on_cold_shutdown).
One of them that does not end, or a message lost while the pool replaced another, holds the worker there for good.
"""

import contextlib
import os
import signal
import threading
import time
from typing import Any

LIMIT_S = 6.5  # after three of Celery's soft shutdown; a container is killed after ten
COLD = "SIGQUIT"  # what REMAP_SIGTERM says where TERM has to end processes that work (dashboard/supervisor/stack.py)


def end_in_time() -> None:
    """End this worker by force when it is still here LIMIT_S after its first SIGTERM; its processes end with it (see
    presence.py), and leases bring back what they did. Called from the main thread, once Celery has its handlers.

    Workers whose TERM is warm are let be: they end what they do.
    """
    if os.environ.get("REMAP_SIGTERM") != COLD:
        return
    told, tell = os.pipe()
    celerys = signal.getsignal(signal.SIGTERM)

    def asked(number: int, frame: Any) -> None:
        with contextlib.suppress(OSError):
            os.write(tell, b"!")  # a lock could be held by what the signal interrupted
        if callable(celerys):
            celerys(number, frame)

    threading.Thread(target=_wait, args=(told,), name="stopping", daemon=True).start()
    signal.signal(signal.SIGTERM, asked)


def _wait(told: int) -> None:
    if os.read(told, 1):
        time.sleep(LIMIT_S)
        os.write(2, b"asked to stop, and still here: this worker ends by force\n")
        os._exit(1)
