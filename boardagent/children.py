"""A throw-away child process: own session, own folder, output to a file, dead when its watcher says so, or silent."""

import ctypes
import os
import signal
import subprocess
import time

from boardagent import protocol, signs

PR_SET_PDEATHSIG = 1
TICK_S = 0.02
LOG_TAIL = 8000
LAST_S = 5.0  # what is stuck in a driver does not even die


class CannotStart(Exception):
    """The program is not there, or is none."""


class Ended:
    """How a child ended: `status` (negative: signal) and the last that it printed."""

    def __init__(self, status, tail):
        self.status = status
        self.tail = tail


def run_child(argv, out, *, environment, started, watch, listener=None):
    """Run `argv` in folder `out` until it ends, or until `watch()`, called fifty times a second, raises.

    `environment` is added to the agent's own; `started(pid)` is told at once. The child's output goes to
    `out`/log, never to a channel: vendor libraries print on stdout. Raises CannotStart, and signs.Silent where there is
    a `listener`, which is closed at the end.
    """
    try:
        child = _begin(argv, out, environment, listener)
        try:
            started(child.pid)
            while child.poll() is None:
                watch()
                if listener is not None:
                    listener.listen(child.pid)
                time.sleep(TICK_S)
        finally:
            _end_group(child)
    finally:
        if listener is not None:
            listener.close()
    return Ended(child.returncode, tail(os.path.join(out, "log")))


def _begin(argv, out, environment, listener):
    whole = dict(os.environ, HOME=out, TMPDIR=out, PWD=out)
    whole.update(environment)
    if listener is not None:
        whole[signs.VARIABLE] = str(listener.given)
    try:
        with open(os.path.join(out, "log"), "wb") as log:
            return subprocess.Popen(
                argv,
                cwd=out,
                env=whole,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=() if listener is None else (listener.given,),
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - the agent has one thread
            )
    except OSError as error:
        raise CannotStart("the NPU program does not start: {}".format(error)) from error
    finally:
        if listener is not None:
            listener.close_given()


def _end_group(child):
    """Kill it, grandchildren too, also after a normal end. What does not die is left to the next `clean`."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except OSError:
        pass
    try:
        child.wait(LAST_S)
    except subprocess.TimeoutExpired:
        pass


def _load_libc():
    try:
        return ctypes.CDLL(None)
    except OSError:
        return None


LIBC = _load_libc()


def _die_with_parent():
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def tail(path):
    """The end of a text file, fit for a message; empty when there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_TAIL))
            return protocol.plain(file.read().decode("utf-8", "replace"))
    except OSError:
        return ""
