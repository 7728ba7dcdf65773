"""The steps of a probe: what each is called, what it needs, and how it ended."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from dashboard.jobs.failures import Failure, failure


class StepState(StrEnum):
    """WAITING -> RUNNING -> OK | FAILED | SKIPPED. Only the last four are stored."""

    WAITING = "waiting"
    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


TITLES: Mapping[str, str] = {
    "reach": "Reach the board",
    "host-key": "Host key",
    "log-in": "Log in",
    "userland": "Shell, programs and file transfer",
    "python": "Python, or the agent in C",
    "npu": "NPU library",
    "room": "Free disk and memory",
    "clock": "Clock",
    "inference": "First inference",
}
SCAN = ("reach", "host-key")  # all that a worker does before somebody confirmed the host key
FULL = tuple(TITLES)
NECESSARY = frozenset(FULL) - {"clock", "inference"}  # without these a board cannot run anything
LONGEST = 2000


@dataclass(frozen=True)
class Step:
    """One step: what was seen there, and for a failure its code and what exactly it was."""

    name: str
    state: StepState
    seen: str = ""
    code: str = ""
    detail: str = ""

    @property
    def title(self) -> str:
        return TITLES.get(self.name, self.name)

    @property
    def why(self) -> Failure | None:
        """The failure with its title and its advice."""
        return failure(self.code) if self.code else None

    @property
    def is_necessary(self) -> bool:
        return self.name in NECESSARY

    def as_dict(self) -> dict[str, str]:
        """As it is stored; texts are cut to what a page shows."""
        return {name: str(value)[:LONGEST] for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Step":
        """As it was stored."""
        texts = {name: str(stored.get(name, "")) for name in ("name", "seen", "code", "detail")}
        return cls(state=StepState(stored["state"]), **texts)


def passed(steps: Sequence[Step]) -> bool:
    """Did every necessary step of a full probe end well?"""
    return {step.name for step in steps if step.state == StepState.OK} >= NECESSARY
