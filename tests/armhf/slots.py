"""A place for one emulated board on this machine: a number, an address, a folder; free when its holder ends."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PLACES = 60


@dataclass(frozen=True)
class Slot:
    """What one board may use: names and addresses that no other board on this machine has."""

    number: int
    folder: Path

    @property
    def interface(self) -> str:
        """The machine's end of the cable."""
        return f"lwboard{self.number}"

    @property
    def near(self) -> str:
        """The machine's address on it (a network for tests of devices, RFC 2544)."""
        return f"198.18.{self.number}.1"

    @property
    def far(self) -> str:
        """The board's address."""
        return f"198.18.{self.number}.2"


def home() -> Path:
    """Where all slots of this machine are kept."""
    return Path(tempfile.gettempdir()) / "layerwise-armhf"


@contextlib.contextmanager
def slot() -> Iterator[Slot]:
    """Take a free slot; what a killed run left in it is removed first, and its own things at the end."""
    home().mkdir(mode=0o700, exist_ok=True)
    with contextlib.ExitStack() as stack:
        number = next(number for number in range(PLACES) if stack.enter_context(_held(number)))
        taken = Slot(number, home() / str(number))
        clear(taken)
        taken.folder.mkdir()
        try:
            yield taken
        finally:
            clear(taken)


def clear_leftovers() -> None:
    """Remove what killed runs left in slots that nobody holds."""
    if home().exists():
        for number in (int(path.stem) for path in home().glob("*.lock")):
            with _held(number) as is_free:
                if is_free:
                    clear(Slot(number, home() / str(number)))


def clear(slot: Slot) -> None:
    """Remove the slot's cable and folder. Processes and mounts are gone by then: they die with the run."""
    if Path("/sys/class/net", slot.interface).exists():
        subprocess.run(["ip", "link", "delete", slot.interface], check=False, capture_output=True)
    shutil.rmtree(slot.folder, ignore_errors=True)


@contextlib.contextmanager
def _held(number: int) -> Iterator[bool]:
    """Holds the lock of a slot, if it is free; the kernel frees it when this process dies."""
    lock = os.open(home() / f"{number}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        yield False
        return
    try:
        yield True
    finally:
        os.close(lock)
