"""The child's output, kept and passed on: the toolkit prints from Python and from C, and may end the process.

A process of its own copies whole lines to the log file and to the real output, so that the last words of an abort
arrive, and no line of ours is torn by one of the toolkit's.
"""

import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

LONGEST_LINE = 3500  # a pipe takes this much in one piece [man 7 pipe, PIPE_BUF]
MOST_BYTES = 64 << 20


class Output:
    """From `tee` on, descriptors 1 and 2 go through the copying process; events of ours go out directly."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._copier = 0

    def tee(self) -> None:
        """Start copying. Everything printed afterwards is also in the file at `path`."""
        sys.stdout.flush()
        reading, writing = os.pipe()
        straight = os.dup(1)
        self._copier = os.fork()
        if self._copier == 0:
            os.close(writing)
            _copy(reading, straight, self.path)
            os._exit(0)
        os.close(reading)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.close(writing)
        sys.stdout = os.fdopen(straight, "w", encoding="utf-8")

    def end(self, patience_s: float | None = None) -> None:
        """Later prints go straight out. Wait until what was printed before is copied, at most so long: a process that
        the toolkit left behind may hold the pipe.
        """
        if not self._copier:
            return
        os.dup2(sys.stdout.fileno(), 1)
        os.dup2(sys.stdout.fileno(), 2)
        give_up = math.inf if patience_s is None else time.monotonic() + patience_s
        while os.waitpid(self._copier, os.WNOHANG)[0] == 0 and time.monotonic() < give_up:
            time.sleep(0.002)
        self._copier = 0

    def text(self) -> str:
        """What was printed so far; copying ends by this."""
        self.end()
        return self.path.read_text(encoding="utf-8", errors="replace")


def _copy(reading: int, straight: int, path: Path) -> None:
    kept, rest = 0, b""
    with path.open("wb") as file:
        for data in iter(lambda: os.read(reading, 1 << 16), b""):
            *lines, rest = (rest + data).replace(b"\r", b"\n").split(b"\n")
            if len(rest) > LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                kept += _put(line + b"\n", file.write if kept < MOST_BYTES else _nowhere, straight)
        _put(rest, file.write, straight)


def _put(line: bytes, keep: Callable[[bytes], object], straight: int) -> int:
    keep(line)
    for start in range(0, len(line), LONGEST_LINE):
        os.write(straight, line[start : start + LONGEST_LINE])
    return len(line)


def _nowhere(line: bytes) -> None:
    """What is beyond the limit is shown, but not kept."""
