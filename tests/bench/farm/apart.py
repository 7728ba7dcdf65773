"""Simulated boards get the processor time that the farm leaves them: real boards have processors of their own.

Without this, fifty boards on two cores stand before the farm in the queue for a core, which is what is measured then.
It needs the right to make a control group (root, usually); `nice` would not do, because every login is a session of its
own and the kernel shares the processor between sessions first.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

ROOTS = {Path("/sys/fs/cgroup/cpu"): ("cpu.shares", "128"), Path("/sys/fs/cgroup"): ("cpu.weight", "12")}


@contextlib.contextmanager
def group() -> Iterator[Path | None]:
    """A control group with an eighth of the usual weight; None where none can be made.

    Its processes must have ended when it does.
    """
    for root, (file, weight) in ROOTS.items():
        made = root / f"layerwise-farm-{os.getpid()}"
        try:
            made.mkdir()
            (made / file).write_text(weight)
        except OSError:
            with contextlib.suppress(OSError):
                made.rmdir()
            continue
        try:
            yield made
        finally:
            with contextlib.suppress(OSError):
                made.rmdir()
        return
    yield None


def into(made: Path | None, program: list[str]) -> list[str]:
    """The argument list that runs `program` inside the group."""
    if made is None:
        return program
    return ["sh", "-c", 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"', "sh", str(made), *program]
