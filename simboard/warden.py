"""Outlives a simulated board by a moment and ends what was started on it: `python -m simboard.warden MARK`.

The board holds the other end of this program's standard input; its end, even by SIGKILL, closes it.
"""

import os
import signal
import sys
import time
from pathlib import Path

from simboard.folder import MARKER


def marked(mark: str) -> list[int]:
    """Processes whose environment carries the board's mark."""
    needle = f"{MARKER}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and needle in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue  # it ended meanwhile, or belongs to somebody else
    return found


def end_all(mark: str, patience_s: float = 5.0) -> None:
    """Kill every marked process, again and again until none is left."""
    until = time.monotonic() + patience_s
    while (pids := marked(mark)) and time.monotonic() < until:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    end_all(sys.argv[1])
