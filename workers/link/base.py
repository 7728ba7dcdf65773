"""What a way to a board can do, whoever goes it: run a command, put a file, get a file."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dashboard.jobs.failures import failure
from workers.errors import JobError, Temporary

KEPT_OUTPUT = 64 * 1024
FULL_DISK = ("no space left", "file too large", "disk quota", "file size limit")


@dataclass(frozen=True)
class Completed:
    """How a command ended: its exit status (None: unknown, or a signal), the last bytes of both outputs."""

    status: int | None
    stdout_tail: bytes
    stderr_tail: bytes

    @property
    def complaint(self) -> str:
        """What it wrote to standard error, for people."""
        return self.stderr_tail.decode(errors="replace").strip()[-2000:]


@dataclass(frozen=True)
class Received:
    """A file that arrived whole: its length and SHA-256."""

    size: int
    sha256: str


class Conversation(Protocol):
    """A command that runs and is spoken with: its output is taken as lines and as blocks of bytes.

    Every call raises what a call of the link does; `silence_s` and the deadline go on during all of them.
    """

    def line(self) -> bytes | None:
        """The next line without its end; None when the output is over. "board:bad-answer" when it is too long."""
        ...

    def take(self, count: int) -> bytes:
        """Exactly the next `count` bytes. "board:bad-answer" when the command ends before, unless it was killed."""
        ...

    def say(self, data: bytes) -> None:
        """Write to the command's standard input; a command that has ended hears nothing, and that is no failure."""
        ...

    def completed(self) -> Completed:
        """How it ended, when its output is over."""
        ...


class Link(Protocol):
    """One connection to a board, for one thread. Deadlines are absolute, in time.monotonic() seconds.

    Every call raises "board:link-lost" when the board vanishes and "board:timed-out" at the deadline.
    """

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: float,
        stdin: bytes | None = None,
        on_line: Callable[[bytes], None] | None = None,
        max_output: int = KEPT_OUTPUT,
        silence_s: float | None = None,
    ) -> Completed:
        """Run a command; `on_line` sees each line of its output, `max_output` bytes of each stream are kept.

        After `silence_s` without a byte from the command the link counts as lost.
        """
        ...

    def converse(
        self, argv: Sequence[str], *, deadline: float, silence_s: float
    ) -> AbstractContextManager[Conversation]:
        """Run a command and speak with it; it is given up when the block ends."""
        ...

    def put(self, local: Path, remote: str, *, deadline: float) -> Received:
        """Send a file; it appears there whole or not at all, verified by SHA-256. Also "board:disk-full"."""
        ...

    def get(
        self, remote: str, local: Path, *, deadline: float, max_bytes: int, sha256: str | None = None
    ) -> Received:
        """Fetch a file of at most `max_bytes`, verified against `sha256`, else against the board's own hash.

        Raises "board:bad-answer" when it is longer, missing, or other bytes than announced.
        """
        ...

    def close(self) -> None:
        """Give the connection back; calling it twice does no harm."""
        ...


def board_failure(code: str, detail: str) -> JobError:
    """The exception for a failure of the board: Temporary when the table of failures has it retried."""
    kind = Temporary if failure(code).is_retried else JobError
    return kind(code, detail)


def is_full_disk(complaint: str) -> bool:
    """Does this error text say that nothing more can be written there?"""
    return any(words in complaint.lower() for words in FULL_DISK)
