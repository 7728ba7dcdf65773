"""A TCP proxy that cuts, stalls, resets, slows down or damages the connections that go through it."""

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator

SLICE = 65536


class Allowance:
    """What one connection may send since its rate was set."""

    def __init__(self) -> None:
        self.used = 0
        self._rate: float | None = None
        self._began = 0.0

    def has_room(self, rate: float | None) -> bool:
        """May it send now? It waits a moment when not."""
        if rate != self._rate:
            self._rate, self._began, self.used = rate, time.monotonic(), 0
        if rate is not None and self.used > rate * (time.monotonic() - self._began):
            time.sleep(0.005)
            return False
        return True


class Proxy:
    """Forwards to one port, "up" to the server and "down" from it. What is set counts for each connection anew.

    `cut_after` and `cut_down_after` end a connection once that many bytes have gone up or down, `cuts_left` times;
    these bytes do arrive. What is on the way when `cut` is called may be lost.
    `corrupt_down_at` damages one byte of the next connection only. `rate` is bytes a second, down.
    """

    def __init__(self, port: int) -> None:
        self.cut_after: int | None = None
        self.cut_down_after: int | None = None
        self.cuts_left = 1_000_000
        self.corrupt_down_at: int | None = None
        self.rate: float | None = None
        self.is_stalled = False
        self.is_refusing = False
        self.downs: list[int] = []  # bytes down of each connection
        self._is_closed = False
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self, *, by_reset: bool = False) -> None:
        """End every connection there is; later ones go through."""
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    if by_reset:
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                if self._is_closed:
                    return
                continue
            if self.is_refusing:
                near.close()
                far.close()
                continue
            self._pairs.append((near, far))
            self.downs.append(0)
            thread = threading.Thread(target=self._forward, args=(near, far, len(self.downs) - 1))
            self._threads.append(thread)
            thread.start()

    def _forward(self, near: socket.socket, far: socket.socket, number: int) -> None:
        gone_up, allowance = 0, Allowance()
        with near, far, contextlib.suppress(OSError, ValueError):
            while not self._is_over(gone_up, self.downs[number]):
                ready, _, _ = select.select([near, far], [], [], 0.05)
                if self._is_closed:
                    return
                if self.is_stalled:
                    time.sleep(0.05)
                    continue
                if near in ready:
                    if not (data := near.recv(SLICE)):
                        return
                    far.sendall(data)
                    gone_up += len(data)
                if far in ready and allowance.has_room(self.rate):
                    if not (data := far.recv(self._slice(self.downs[number]))):
                        return
                    near.sendall(self._damaged(data, self.downs[number]))
                    self.downs[number] += len(data)
                    allowance.used += len(data)
            _deliver(near)

    def _is_over(self, up: int, down: int) -> bool:
        over = (self.cut_after is not None and up >= self.cut_after) or (
            self.cut_down_after is not None and down >= self.cut_down_after
        )
        if not over or self.cuts_left <= 0:
            return False
        self.cuts_left -= 1
        return True

    def _slice(self, down: int) -> int:
        most = SLICE if self.rate is None else max(1, int(self.rate / 20))
        left = SLICE if self.cut_down_after is None or self.cuts_left <= 0 else self.cut_down_after - down
        return max(1, min(most, left, SLICE))

    def _damaged(self, data: bytes, down: int) -> bytes:
        at = self.corrupt_down_at
        if at is None or not down <= at < down + len(data):
            return data
        self.corrupt_down_at = None
        damaged = bytearray(data)
        damaged[at - down] ^= 0x55
        return bytes(damaged)

    def close(self) -> None:
        """Cut everything."""
        self._is_closed = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)


def _deliver(near: socket.socket) -> None:
    """Say the end, and hear the other side out: closed at once, it may lose what it has not read yet."""
    near.shutdown(socket.SHUT_WR)
    near.settimeout(5)
    while near.recv(SLICE):
        pass


@contextlib.contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """A proxy for as long as the block lasts."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
