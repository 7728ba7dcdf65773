"""Something done again and again beside a call that takes long."""

import contextlib
from collections.abc import Callable, Iterator
from threading import Event, Thread

EVERY_S = 0.1


@contextlib.contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` ten times a second until the block ends; then the call under way is waited for."""
    ended = Event()

    def watch() -> None:
        while not ended.wait(EVERY_S):
            act()

    watching = Thread(target=watch, name="meanwhile", daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()
