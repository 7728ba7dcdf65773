"""A TCP proxy that can cut or stall the connections that go through it."""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Forwards to one port; `cut_after` ends every connection once that many bytes have gone up to the server."""

    def __init__(self, port: int) -> None:
        self.cut_after: int | None = None
        self.is_stalled = False
        self._is_closed = False
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._ends += [near, far]
            thread = threading.Thread(target=self._forward, args=(near, far))
            self._threads.append(thread)
            thread.start()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        gone_up = 0
        other = {near: far, far: near}
        with near, far, contextlib.suppress(OSError, ValueError):
            while self.cut_after is None or gone_up < self.cut_after:
                ready, _, _ = select.select([near, far], [], [], 0.05)
                if self._is_closed:
                    return
                if self.is_stalled:
                    threading.Event().wait(0.05)
                    continue
                for end in ready:
                    if not (data := end.recv(65536)):
                        return
                    other[end].sendall(data)
                    gone_up += len(data) if end is near else 0

    def close(self) -> None:
        """Cut everything."""
        self._is_closed = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)


@contextlib.contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """A proxy for as long as the block lasts."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
