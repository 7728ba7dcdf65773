"""What a board writes, kept within limits: whole lines as they come, and the last bytes of each stream."""

from collections.abc import Callable

from boardagent.protocol import MAX_LINE
from workers.link.base import board_failure


class Tail:
    """The last `limit` bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()

    def add(self, data: bytes) -> None:
        """Take what came; what no longer fits is forgotten at the front."""
        self._kept += data
        if len(self._kept) > 2 * self._limit:  # not each time: cutting moves all bytes
            del self._kept[: -self._limit]

    def bytes(self) -> bytes:
        """What is kept."""
        return bytes(self._kept[-self._limit :])


class Lines:
    """Cuts a stream into lines for `on_line`; "board:bad-answer" for a line longer than the protocol's."""

    def __init__(self, on_line: Callable[[bytes], None]) -> None:
        self._on_line = on_line
        self._rest = bytearray()

    def add(self, data: bytes) -> None:
        """Take what came and hand on every line that is complete."""
        self._rest += data
        *whole, rest = self._rest.split(b"\n")
        self._rest = rest
        for line in whole:
            self._on_line(bytes(line))
        if len(rest) > MAX_LINE:
            raise board_failure("board:bad-answer", f"a line of more than {MAX_LINE} bytes")

    def end(self) -> None:
        """The stream is over: what is left is a line too."""
        if self._rest:
            self._on_line(bytes(self._rest))
            self._rest.clear()
