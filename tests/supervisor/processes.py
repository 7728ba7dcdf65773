"""Finding processes by an argument they were started with, and waiting until something is so."""

import time
from collections.abc import Callable
from pathlib import Path


def with_argument(argument: str) -> dict[int, str]:
    """Every living process that has `argument` among its arguments: its id and its whole command."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if argument in command:
                found[int(entry.name)] = " ".join(command)
    return found


def wait_until(is_so: Callable[[], object], seconds: float = 15.0) -> bool:
    """Whether it became so in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.05)
    return bool(is_so())
