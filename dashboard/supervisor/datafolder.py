"""One supervisor per data folder: the lock that says so, and run.json, which says where everything is.

The lock is a flock that the keepers share, so it is free only when the last process of a former start has
gone, also after a SIGKILL. run.json is its owner's alone: it holds the address of Redis with its password.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dashboard.supervisor import kernel

DYING_S = 1.0  # How long a process that was sent SIGKILL may still look alive on a busy machine.


class InUse(Exception):
    """Another supervisor works on this data folder."""


class DataFolder:
    """The folder that holds everything a site stores."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.run_file = path / "run.json"
        self.lock: int = -1

    def take(self, patience_s: float = 20.0, say: Callable[[str], None] = lambda text: None) -> None:
        """Take the lock, waiting for what a killed start left; raise InUse when its supervisor is alive."""
        self.lock = os.open(self.path / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        since = time.monotonic()
        is_first_try = True
        while not self._try_lock():
            owner, waited = self._living_owner(), time.monotonic() - since
            if waited > (min(DYING_S, patience_s) if owner else patience_s):
                os.close(self.lock)
                raise InUse(self._who(owner))
            if is_first_try and not owner:
                say("waiting for the processes of the former start to end")
                is_first_try = False
            time.sleep(0.1)

    def release(self) -> None:
        """Give the lock back and forget where everything was."""
        self.run_file.unlink(missing_ok=True)
        os.close(self.lock)

    def write_run(self, facts: dict[str, Any]) -> None:
        """Replace run.json at once, so that no reader sees half of it."""
        facts = {"supervisor": os.getpid(), "started": kernel.start_ticks(os.getpid()), **facts}
        part = self.run_file.with_suffix(".part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(facts, file, indent=2)
        part.replace(self.run_file)

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _living_owner(self) -> dict[str, Any]:
        """What run.json says, if its supervisor is alive; the process id alone may have been used again."""
        try:
            facts: dict[str, Any] = json.loads(self.run_file.read_text())
            return (
                facts
                if facts["started"] and kernel.start_ticks(facts["supervisor"]) == facts["started"]
                else {}
            )
        except (OSError, ValueError, KeyError):
            return {}

    def _who(self, owner: dict[str, Any]) -> str:
        if not owner:
            return (
                f"{self.path} is in use by another start that is beginning or ending; try again in a moment."
            )
        address = f" and serves {owner['url']}" if owner.get("url") else ""
        return (
            f"Layerwise already runs on {self.path} (process {owner['supervisor']}){address}. "
            "Stop it with Ctrl-C, or set LAYERWISE_DATA to another folder."
        )
