"""What number a name has now, by a deadline: a resolver that does not answer holds no worker."""

import socket
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

DEADLINE_S = 10.0
Streams = Sequence[tuple[Any, ...]]


def look_up(host: str, port: int, deadline_s: float = DEADLINE_S) -> Streams:
    """The ways to `host` by TCP, as socket.getaddrinfo tells them.

    The resolver cannot be interrupted: it is asked in a thread, which is left behind when it is late. Raises OSError
    (TimeoutError when it is late) and UnicodeError.
    """
    answers: SimpleQueue[Streams | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # whatever it is, it is raised where somebody waits
            answers.put(error)

    Thread(target=ask, name="look-up", daemon=True).start()
    try:
        found = answers.get(timeout=deadline_s)
    except Empty:
        raise TimeoutError(f"no answer from the resolver within {deadline_s:g} s") from None
    if isinstance(found, Exception):
        raise found
    return found
