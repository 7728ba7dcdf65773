"""Whether two runs may be compared in time: the parts of their boards' fingerprints that matter, field by field."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# what changes from minute to minute and says nothing about the stack
PASSING = frozenset(
    [
        "temperature_mc",
        "temperature_c",
        "load",
        "mem_available_kb",
        "disk_free_bytes",
        "uptime_s",
        "unix_time",
        "boot_id",
        "clocks.cpu_hz",
        "mem_total_kb",
    ]
)


@dataclass(frozen=True)
class Difference:
    """One field that differs; `matters` when times must not be compared because of it."""

    field: str
    first: str
    second: str
    matters: bool


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """What differs between two fingerprints, what matters first."""
    one, other = flat(first), flat(second)
    found = [
        Difference(field, _text(one.get(field)), _text(other.get(field)), field not in PASSING)
        for field in sorted({*one, *other})
        if one.get(field) != other.get(field)
    ]
    return sorted(found, key=lambda difference: not difference.matters)


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested maps as one, the names joined by dots."""
    fields: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            fields |= flat(value, f"{prefix}{name}.")
        else:
            fields[f"{prefix}{name}"] = value
    return fields


def _text(value: Any) -> str:
    return "—" if value is None or value == "" else str(value)[:200]
