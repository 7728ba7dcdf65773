"""Where a process writes: a plain file of its own, so that no pipe can fill up or break, or this terminal."""

import os
from pathlib import Path
from typing import BinaryIO

KEPT_BYTES = 20_000_000
FIRST_BYTES = 1_000_000
LAST_BYTES = 20_000


class LogFile:
    """`<folder>/<name>.log`; the former one is kept as `.log.1` once it has grown large."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{name}.log"
        self.name = name
        self._start = 0

    def open(self) -> BinaryIO:
        """The file to write to; `written` and `last_lines` count from here."""
        if self.path.exists() and self.path.stat().st_size > KEPT_BYTES:
            self.path.replace(self.path.with_suffix(".log.1"))
        file = self.path.open("ab")
        self._start = file.tell()
        return file

    def written(self) -> str:
        """What the present process has written, at most its first megabyte: ready lines are found in it."""
        with self.path.open("rb") as file:
            file.seek(self._start)
            return file.read(FIRST_BYTES).decode(errors="replace")

    def last_lines(self, count: int = 15) -> str:
        """The end of what the present process has written, each line behind its name."""
        with self.path.open("rb") as file:
            file.seek(max(self._start, file.seek(0, os.SEEK_END) - LAST_BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-count:]
        return "\n".join(f"  {self.name} | {line}" for line in lines)


class Terminal(LogFile):
    """Writes to the terminal of the supervisor instead of a file; nothing of it can be read again."""

    def __init__(self, name: str) -> None:
        self.name = name

    def open(self) -> BinaryIO:
        """The supervisor's own standard output."""
        return os.fdopen(os.dup(1), "wb")

    def written(self) -> str:
        """Nothing."""
        return ""

    def last_lines(self, count: int = 15) -> str:
        """Nothing: it has been on the terminal."""
        return ""
