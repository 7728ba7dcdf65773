"""A program that switches power: one of an allowed folder, as an argument list, never a shell, with a deadline."""

import contextlib
import os
import selectors
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dashboard.health.switches import PROGRAM
from workers.childlog import CONTROLS
from workers.errors import JobError

KEPT_OUTPUT = 4000
LOOK_S = 0.5


def run_program(
    argv: Sequence[str], allowed: Path, seconds: float, check: Callable[[], None] = lambda: None
) -> str:
    """Run a program of the folder `allowed`; what it wrote, at most 4,000 characters.

    `check` is called twice a second and may raise to give up. Everything the program started in its session ends
    with it. Raises "board:switch-failed".
    """
    program = find_program(argv[0], allowed)
    try:
        process = subprocess.Popen(
            [str(program), *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
            start_new_session=True,
        )
    except OSError as error:
        raise failed(f"{argv[0]} cannot be started: {error.strerror}") from error
    try:
        said = _listen(process, time.monotonic() + seconds, check)
    finally:
        _end(process)
    if said is None:
        raise failed(f"{argv[0]} did not end within {seconds:g} seconds")
    if process.returncode != 0:
        raise failed(f"{argv[0]} ended with status {process.returncode}. {said}".strip())
    return said


def find_program(name: str, allowed: Path) -> Path:
    """The program of this plain name in the folder. Raises "board:switch-failed" for anything else.

    A link that leads out of the folder is not followed, nor is a program started that others may write.
    """
    folder = allowed.resolve()
    program = (folder / name).resolve()
    if not PROGRAM.fullmatch(name) or program.parent != folder or not program.is_file():
        raise failed(f"There is no program {name[:100]!r} in LAYERWISE_POWER_COMMANDS of this worker.")
    if not os.access(program, os.X_OK):
        raise failed(f"{name} in LAYERWISE_POWER_COMMANDS may not be executed.")
    if (program.stat().st_mode | folder.stat().st_mode) & stat.S_IWOTH:
        raise failed(f"{name} or its folder may be written by everybody: it is not run.")
    return program


def failed(detail: str) -> JobError:
    """The failure of a switch, whichever kind it is."""
    return JobError("board:switch-failed", detail)


def _listen(process: "subprocess.Popen[bytes]", deadline: float, check: Callable[[], None]) -> str | None:
    """What the program says until it ends; None when it does not end in time. What is too much is thrown away."""
    assert process.stdout is not None
    said, pipe = bytearray(), process.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while process.poll() is None:
            check()
            if time.monotonic() > deadline:
                return None
            if selector.get_map() and selector.select(LOOK_S / 5):
                block = os.read(pipe, 65536)
                said += block[: KEPT_OUTPUT - len(said)]
                if not block:
                    selector.unregister(pipe)
            elif not selector.get_map():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_S / 5)
        if selector.get_map() and selector.select(
            0
        ):  # its last words; a child that holds the pipe is not waited for
            said += os.read(pipe, 65536)[: KEPT_OUTPUT - len(said)]
    return CONTROLS.sub("", said.decode(errors="replace")).strip()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the program and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()
