"""What killed workers left on this machine: job folders that no running job answers for, uploads cut short."""

import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from dashboard.jobs.models import State, kind_named
from workers.jobfolder import delete, leftovers

UPLOAD_SECONDS = 24 * 3600  # longer than any upload takes


def sweep() -> int:
    """Delete what is left over; how many folders and files that were. Raises DatabaseError."""
    gone = 0
    for name in ("jobs", "runs"):
        for folder in leftovers(Path(settings.WORK_DIR) / name, is_running):
            delete(folder)
            gone += 1
    for part in cut_short(Path(settings.STORE_DIR) / "incoming"):
        part.unlink(missing_ok=True)
        gone += 1
    return gone


def is_running(label: str) -> bool:
    """Does the attempt that a folder is named after ("conversion-7-2") still run? Other names are left alone."""
    word, _, numbers = label.partition("-")
    pk, _, attempt = numbers.partition("-")
    kind = kind_named(word)
    if kind is None or not (pk.isdecimal() and attempt.isdecimal()):
        return True
    return kind._default_manager.filter(pk=int(pk), attempt=int(attempt), state=State.RUNNING).exists()


def cut_short(incoming: Path) -> Iterator[Path]:
    """Parts of files that nobody writes to any more."""
    if not incoming.is_dir():
        return
    for part in incoming.iterdir():
        try:
            if time.time() - part.stat().st_mtime > UPLOAD_SECONDS:
                yield part
        except FileNotFoundError:
            continue  # it arrived meanwhile
