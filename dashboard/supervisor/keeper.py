"""Keeps one process of the product: starts it, waits for it, and kills whatever it leaves behind.

Run by the supervisor: `python -S -m dashboard.supervisor.keeper PARENT GRACE PROGRAM [ARGUMENT...]`.
TERM asks the process to end and kills it after GRACE seconds; HUP says that the supervisor has gone and
allows one second; QUIT kills at once. It ends with the status of the process, after the last descendant.

Standard library only: it starts in some 30 ms and stays small.
"""

import os
import signal
import sys
import time

from dashboard.supervisor import kernel

HEARD = {signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT, signal.SIGCHLD}
ORPHAN_GRACE_S = 1.0
SWEEP_S = 10.0


def start(program: list[str]) -> int:
    """Start the process in a session of its own, to die with this keeper; return its id."""
    keeper = os.getpid()
    process = os.fork()
    if process:
        return process
    try:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        kernel.die_with(keeper, signal.SIGKILL)
        os.execvp(program[0], program)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"cannot start {program[0]}: {error.strerror}\n".encode())
    os._exit(127)


def reap(process: int, status: int | None) -> int | None:
    """Collect ended children; return the status of `process` once it is among them."""
    while True:
        try:
            ended, code = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if ended == 0:
            return status
        if ended == process:
            status = os.waitstatus_to_exitcode(code)


def watch(process: int, grace_s: float) -> int:
    """Wait for the process, asking it to end when told to; return its status (signals negative)."""
    deadline = float("inf")
    while (status := reap(process, None)) is None:
        left = deadline - time.monotonic()
        if left <= 0:
            kernel.kill(process, signal.SIGKILL)
        heard = signal.sigtimedwait(HEARD, max(0.05, min(left, 3600.0)))
        number = heard.si_signo if heard else 0
        if number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            allowed = ORPHAN_GRACE_S if number == signal.SIGHUP else grace_s
            deadline = min(deadline, time.monotonic() + allowed)
            kernel.kill(process, signal.SIGTERM)
        elif number == signal.SIGQUIT:
            deadline = 0.0
    return status


def sweep() -> None:
    """Kill every descendant. Orphans come back to us, so nothing slips away between two looks."""
    deadline = time.monotonic() + SWEEP_S
    while time.monotonic() < deadline:
        reap(0, None)
        left = kernel.descendants(os.getpid())
        if not left:
            return
        for process in left:
            kernel.kill(process, signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, 0.05)


def main(arguments: list[str]) -> int:
    parent, grace_s, program = int(arguments[0]), float(arguments[1]), arguments[2:]
    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    try:
        kernel.die_with(parent, signal.SIGHUP)
    except ProcessLookupError:
        return 1
    kernel.adopt_orphans()
    process = start(program)
    status = watch(process, grace_s)
    sweep()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
