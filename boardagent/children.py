"""A throw-away child process: own session, own folder, output to a file, dead at the deadline."""

import ctypes
import os
import signal
import subprocess
import time

from boardagent import protocol

PR_SET_PDEATHSIG = 1
TICK_S = 0.02
BEAT_S = 2.0
LOG_TAIL = 8000


class Ended:
    """How a child ended: `status` (negative: signal), `reason` ("", "timed-out", "unheard"), last output."""

    def __init__(self, status, reason, tail):
        self.status = status
        self.reason = reason
        self.tail = tail


def run_child(argv, out, *, until, started, is_unheard, beat):
    """Run `argv` in folder `out` until it ends or monotonic time `until`.

    `started(pid)` is told at once; `beat()` every two seconds; the child dies when `is_unheard()` says so.
    Its output goes to `out`/log, never to the channel: vendor libraries print on stdout. Raises OSError when
    it cannot start.
    """
    environment = dict(os.environ, HOME=out, TMPDIR=out, PWD=out)
    with open(os.path.join(out, "log"), "wb") as log:
        child = subprocess.Popen(
            argv,
            cwd=out,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - the agent has one thread
        )
    reason = "timed-out"
    try:
        started(child.pid)
        reason = _watch(child, until, is_unheard, beat)
    finally:
        _end_group(child)
    return Ended(child.returncode, reason, _tail(os.path.join(out, "log")))


def _watch(child, until, is_unheard, beat):
    following = time.monotonic() + BEAT_S
    while child.poll() is None:
        now = time.monotonic()
        if now >= until:
            return "timed-out"
        if is_unheard():
            return "unheard"
        if now >= following:
            beat()
            following = now + BEAT_S
        time.sleep(TICK_S)
    return ""


def _end_group(child):
    try:
        os.killpg(child.pid, signal.SIGKILL)  # grandchildren too, also after a normal end
    except OSError:
        pass
    child.wait()


def _load_libc():
    try:
        return ctypes.CDLL(None)
    except OSError:
        return None


LIBC = _load_libc()


def _die_with_parent():
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _tail(path):
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_TAIL))
        return protocol.plain(file.read().decode("utf-8", "replace"))
