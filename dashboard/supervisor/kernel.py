"""What the Linux kernel does for us about processes: death signals, sub-reapers, and who descends from whom.

Standard library only, because the keeper runs without site-packages to be small and quick.
"""

import contextlib
import ctypes
import os
import signal
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def die_with(parent: int, number: signal.Signals) -> None:
    """Have the kernel send `number` to this process when `parent` dies.

    Raises ProcessLookupError when it has died already.
    """
    _prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        raise ProcessLookupError(f"process {parent} has gone already")


def adopt_orphans(adopt: bool = True) -> None:
    """Become, or stop being, the parent of every descendant whose own parent dies (prctl(2), sub-reaper)."""
    _prctl(PR_SET_CHILD_SUBREAPER, int(adopt))


def _parents() -> dict[int, int]:
    """Every process and its parent; fields count from the last bracket, as a name may hold spaces."""
    parents = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names are all we need, and this runs every second
        if entry.isdigit():
            try:
                fields = Path("/proc", entry, "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue  # It ended while we looked.
            parents[int(entry)] = int(fields[1])
    return parents


def children(parent: int) -> set[int]:
    """The processes whose parent is `parent`, zombies included."""
    return {process for process, its_parent in _parents().items() if its_parent == parent}


def descendants(ancestor: int) -> list[int]:
    """Children of `ancestor`, their children and so on, parents first; zombies are included."""
    families: dict[int, list[int]] = {}
    for process, parent in _parents().items():
        families.setdefault(parent, []).append(process)
    found = list(families.get(ancestor, []))
    for process in found:  # The list grows while it is read: breadth first.
        found.extend(families.get(process, []))
    return found


def start_ticks(process: int) -> int:
    """When `process` started, in clock ticks since boot (that and its id name it); 0 when it is gone, also when
    only nobody has asked for its status yet."""
    try:
        told = Path("/proc", str(process), "stat").read_text(errors="replace").rpartition(")")[2].split()
        return 0 if told[0] in ("Z", "X") else int(told[19])
    except (OSError, IndexError):
        return 0


def kill(process: int, number: int) -> None:
    """Send a signal; a process that has gone already is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def wait_for(child: int) -> None:
    """Collect an ended child, waiting for it; one that somebody else has collected is fine."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)
