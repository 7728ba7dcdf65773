"""What a board writes, kept within limits: lines and blocks as they come, and the last bytes of each stream."""

from collections.abc import Callable

from boardagent.protocol import MAX_LINE
from workers.errors import JobError
from workers.link.base import Completed, board_failure


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


def broke_off(done: Completed) -> JobError:
    """Why a command's output ended in the middle: who was killed is heard again, who ended by himself lied."""
    if done.status is None:
        return board_failure("board:link-lost", "the agent was ended while it sent")
    return board_failure(
        "board:bad-answer", f"the output breaks off, exit status {done.status}. {done.complaint}"
    )


class Inbox:
    """A stream taken as lines and as blocks; `more` waits for bytes and adds them, False when it is over."""

    def __init__(self, more: Callable[[], bool]) -> None:
        self._more = more
        self._rest = bytearray()

    def add(self, data: bytes) -> None:
        """Take what came."""
        self._rest += data

    def line(self) -> bytes | None:
        """The next line without its end; None when the stream is over, also within a line.

        "board:bad-answer" when it is too long.
        """
        seen = 0
        while (end := self._rest.find(b"\n", seen)) < 0:
            seen = len(self._rest)
            if seen > MAX_LINE:
                raise board_failure("board:bad-answer", f"a line of more than {MAX_LINE} bytes")
            if not self._more():
                return None
        line = self._taken(end + 1)
        if len(line) > MAX_LINE:
            raise board_failure("board:bad-answer", f"a line of more than {MAX_LINE} bytes")
        return line[:-1]

    def take(self, count: int) -> bytes | None:
        """Exactly the next `count` bytes; None when the stream ends before."""
        while len(self._rest) < count:
            if not self._more():
                return None
        return self._taken(count)

    def _taken(self, count: int) -> bytes:
        taken = bytes(memoryview(self._rest)[:count])
        del self._rest[:count]  # moves nothing: a bytearray remembers where it begins
        return taken
