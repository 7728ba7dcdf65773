"""Fingerprints of boards, field by field: what of them matters for times, what differs, and how much of one is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

# what changes from minute to minute and says nothing about the stack
PASSING = frozenset(
    [
        "temperature_mc",
        "temperature_c",
        "temperatures_mc",
        "load",
        "mem_available_kb",
        "disk_free_bytes",
        "uptime_s",
        "unix_time",
        "boot_id",
        "clocks.cpu_hz",
        "clocks.summary.arm",
        "clocks.summary.armclk",
        "mem_total_kb",
    ]
)
# what is never the same twice: kept as readings, not as changes (see dashboard/telemetry)
MEASURED = PASSING - {"boot_id", "mem_total_kb"}
MOST_FIELDS = 300
DEEPEST = 6
LONGEST_NAME = 100
LONGEST_TEXT = 500
EMPTY: tuple[Any, ...] = (None, "", "[]", [])  # how a board says that it does not know
LARGEST = 10**18


@dataclass(frozen=True)
class Difference:
    """One field that differs; `matters` when times must not be compared because of it."""

    field: str
    first: str
    second: str
    matters: bool


@dataclass(frozen=True)
class Facts:
    """A run's fingerprints for a page: rows of (field, before, after), and the fields that the board left empty."""

    rows: tuple[tuple[str, Any, Any], ...]
    untold: tuple[str, ...]


def facts_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> Facts:
    """Two fingerprints of one run, field by field."""
    one, other = flat(before), flat(after)
    rows = [(field, one.get(field), other.get(field)) for field in sorted({*one, *other})]
    untold = [field for field, *both in rows if all(value in EMPTY for value in both)]
    return Facts(tuple(row for row in rows if row[0] not in untold), tuple(untold))


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """What differs between two fingerprints, what matters first."""
    one, other = flat(first), flat(second)
    found = [
        Difference(field, _text(one.get(field)), _text(other.get(field)), field not in PASSING)
        for field in sorted({*one, *other})
        if one.get(field) != other.get(field)
    ]
    return sorted(found, key=lambda difference: not difference.matters)


def noted_differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """The differences without what is never the same twice, their names and texts fit for columns."""
    return [
        replace(one, field=one.field[:LONGEST_NAME])
        for one in differences(first, second)
        if one.field not in MEASURED
    ]


def bounded(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """The first 300 fields of a fingerprint, with names, texts, numbers and depth of a bearable size.

    What is none of text, finite number, yes, no, nothing or a map of those becomes a text.
    """
    return _bounded(fingerprint, DEEPEST, [MOST_FIELDS])


def _bounded(nested: Mapping[str, Any], depth: int, left: list[int]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in nested.items():
        if left[0] <= 0:
            break
        left[0] -= 1
        inner = isinstance(value, Mapping) and depth > 1
        kept[_plain(name, LONGEST_NAME)] = _bounded(value, depth - 1, left) if inner else _value(value)
    return kept


def _value(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) <= LARGEST:  # false for what is not a number, too
        return value
    if isinstance(value, int):
        return "a number of more than 18 digits"
    return _plain(value, LONGEST_TEXT)


def _plain(value: Any, longest: int) -> str:
    """Text that every database stores: no NUL, no halves of surrogate pairs."""
    return str(value)[:longest].replace("\0", "").encode(errors="replace").decode()


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
