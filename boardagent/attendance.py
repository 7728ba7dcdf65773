"""Who is there: whether a run still lives, and whether somebody is attached to it. Locks say so, no clock does.

In the run's folder: `running` is locked while the run lives, `attached` while somebody is attached. The kernel
gives a lock back however its holder ends.
"""

import fcntl
import os
import signal
import time
from contextlib import contextmanager

from boardagent import fences

LOOK_S = 0.5


@contextmanager
def running(folder):
    """Hold the mark of the living run. BlockingIOError when another process holds it."""
    with open(os.path.join(folder, "running"), "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def is_running(folder):
    """Does the run of this folder live?"""
    return not _is_free(os.path.join(folder, "running"))


@contextmanager
def attached(folder):
    """Be the one who is attached: an older one, stuck on a dead link, is ended."""
    with open(os.path.join(folder, "attached"), "a+") as file:
        file.seek(0)
        _end(file.read(100).split())
        fcntl.flock(file, fcntl.LOCK_SH)
        file.truncate(0)
        file.write("{} {}".format(os.getpid(), fences.start_time(os.getpid())))
        file.flush()
        yield


def _end(note):
    """End the process of a note "pid start-time", unless its number is somebody else's by now."""
    if len(note) == 2 and note[0].isdigit() and fences.start_time(int(note[0])) == note[1]:
        try:
            os.kill(int(note[0]), signal.SIGKILL)
        except OSError:
            pass


class Attendance:
    """The run's view: for how long nobody has been attached."""

    def __init__(self, folder, patience_s):
        self._path = os.path.join(folder, "attached")
        self._patience_s = patience_s
        self._seen = self._looked = time.monotonic()

    def is_orphan(self):
        """Has nobody been attached for longer than the patience?"""
        now = time.monotonic()
        if now >= self._looked + LOOK_S:
            self._looked = now
            if not _is_free(self._path):
                self._seen = now
        return now > self._seen + self._patience_s


def _is_free(path):
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
