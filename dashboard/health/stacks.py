"""Which runs may be expected to agree: the stack decides about outputs, the stratum about times."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.boards.fingerprints import PASSING, flat

# what changes the time of a network but none of its numbers; what a board calls its faults is what we look for
TIME_ONLY = ("clocks", "governors")
NOT_OUTPUTS = frozenset(["python", "quirks", "agent"])
FADING = frozenset(["driver_line"])  # a line of the kernel's log, which is gone when the log has grown


@dataclass(frozen=True)
class Stack:
    """What computes: runtime, driver, kernel, NPU. `key` is equal for equal facts."""

    key: str
    facts: dict[str, Any]


def stack_of(fingerprint: Mapping[str, Any]) -> Stack:
    """The part of a fingerprint that may change a network's outputs."""
    facts = {name: value for name, value in _lasting(fingerprint).items() if _matters_for_outputs(name)}
    return Stack(_digest(facts), facts)


def stratum_of(fingerprint: Mapping[str, Any]) -> str:
    """Equal for runs whose times may be compared."""
    return _digest(_lasting(fingerprint))


def _lasting(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flat(fingerprint).items() if name not in PASSING | FADING}


def _matters_for_outputs(name: str) -> bool:
    return name not in NOT_OUTPUTS and not name.startswith(TIME_ONLY)


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
