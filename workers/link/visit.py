"""What a run was asked for, checked before anything is sent."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boardagent import protocol
from workers.link import answer
from workers.link.base import board_failure
from workers.link.results import BoardInfo

SCHEMA = 2
SPARE_BYTES = 1024 * 1024


class Visit:
    """A job on its way to a board: `deadline` in monotonic seconds, `boot_id` once the board was taken."""

    def __init__(
        self, job: Mapping[str, Any], files: Mapping[str, Path], fence: int, deadline: float
    ) -> None:
        self.files, self.fence, self.deadline = dict(files), fence, deadline
        self.folder = f"run-{fence}"
        self.boot_id = ""
        self._given = {"modes": list(protocol.MODES), "warmup": 2, "iterations": 20, **job}
        missing = {self._given.get("artifact"), self._given.get("inputs")} - set(self.files)
        if missing or not all(answer.PLAIN_NAME.fullmatch(name) for name in self.files):
            raise ValueError(f"a job's files must be given under plain names; missing {missing}")

    def job(self) -> dict[str, Any]:
        """job.json: the agent's own deadline is never later than ours."""
        left = max(1.0, self.deadline - time.monotonic())
        limit = min(float(self._given.get("deadline_s", left)), left)
        return {**self._given, "schema": SCHEMA, "kind": "run", "fence": self.fence, "deadline_s": limit}

    def taken(self, board: BoardInfo) -> None:
        """The board is ours: remember which of its lives this is.

        Raises "board:disk-full" when what we would send and what the run needs do not fit.
        """
        self.boot_id = board.boot_id
        needed = sum(path.stat().st_size for path in self.files.values()) + SPARE_BYTES
        needed = max(needed, int(self._given.get("disk_bytes") or 0))
        if board.disk_free_bytes < needed:
            raise board_failure("board:disk-full", f"{board.disk_free_bytes} bytes free, {needed} needed")
