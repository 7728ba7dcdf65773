"""A TCP proxy that breaks connections on their way down, so many times after so many bytes."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Cutter:
    """Forwards to one port. While `cuts` is above zero, a connection that has brought `after` bytes down is reset."""

    def __init__(self, port: int) -> None:
        self.cuts, self.after = 0, 0
        self.is_closed = False
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._begin(self._accept)

    def _begin(self, what: object, *arguments: object) -> None:
        thread = threading.Thread(target=what, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [near, far]
            self._begin(self._pump, near, far, False)
            self._begin(self._pump, far, near, True)

    def _pump(self, source: socket.socket, target: socket.socket, is_down: bool) -> None:
        done = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                done += len(data)
                if is_down and self.cuts and done > self.after:
                    self.cuts -= 1
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut everything."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for end in self._sockets:
            end.close()


@contextlib.contextmanager
def cutter_to(port: int) -> Iterator[Cutter]:
    """A proxy for as long as the block lasts."""
    cutter = Cutter(port)
    try:
        yield cutter
    finally:
        cutter.close()
