"""What killed workers left on this machine: job folders that no running job answers for, uploads cut short."""

import logging
from pathlib import Path

from django.conf import settings

from dashboard import files
from dashboard.jobs.models import State, kind_named
from workers.jobfolder import delete, leftovers

logger = logging.getLogger(__name__)


def sweep() -> int:
    """Delete what is left over; how many folders and files that were. Raises DatabaseError."""
    gone = 0
    for name in ("jobs", "runs"):
        for folder in leftovers(Path(settings.WORK_DIR) / name, is_running):
            delete(folder)
            gone += 1
    try:
        return gone + files.sweep()
    except files.StoreAway as error:
        logger.warning("the file store is away: %s", error)
        return gone


def is_running(label: str) -> bool:
    """Does the attempt that a folder is named after ("conversion-7-2") still run? Other names are left alone."""
    word, _, numbers = label.partition("-")
    pk, _, attempt = numbers.partition("-")
    kind = kind_named(word)
    if kind is None or not (pk.isdecimal() and attempt.isdecimal()):
        return True
    return kind._default_manager.filter(pk=int(pk), attempt=int(attempt), state=State.RUNNING).exists()
