"""What of a fingerprint becomes a number: each has a type and a range, and whatever is outside is nothing."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

KB, BYTES, HZ = 10**12, 10**18, 10**12  # more than any board has, less than the columns hold


def numbers_of(fingerprint: Mapping[str, Any]) -> dict[str, float | int | None]:
    """The columns of a reading, out of a fingerprint of which nothing is believed."""
    clocks = fingerprint.get("clocks")
    clocks = clocks if isinstance(clocks, Mapping) else {}
    return {
        "temperature_c": _celsius(fingerprint),
        "load": _number(fingerprint.get("load"), 0, 10_000),
        "mem_available_kb": _whole(fingerprint.get("mem_available_kb"), KB),
        "disk_free_bytes": _whole(fingerprint.get("disk_free_bytes"), BYTES),
        "npu_hz": _whole(clocks.get("npu_hz"), HZ),
        "cpu_hz": _whole(clocks.get("cpu_hz"), HZ),
        "ddr_hz": _whole(clocks.get("ddr_hz"), HZ),
    }


def _celsius(fingerprint: Mapping[str, Any]) -> float | None:
    """Linux tells thousandths of a degree (Documentation/driver-api/thermal/sysfs-api.rst)."""
    thousandths = _number(fingerprint.get("temperature_mc"), -100_000, 300_000)
    if thousandths is not None:
        return thousandths / 1000
    return _number(fingerprint.get("temperature_c"), -100, 300)


def _number(value: Any, least: float, most: float) -> float | None:
    """`value` if it is a number from `least` to `most`; comparing comes first, because a huge int is no float."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        return None
    return float(value) if isfinite(value) else None


def _whole(value: Any, most: int) -> int | None:
    number = _number(value, 0, most)
    return None if number is None else round(number)
