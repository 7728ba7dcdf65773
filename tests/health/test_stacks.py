"""Which fields of a fingerprint decide about outputs, and which about times."""

from typing import Any

import pytest

from dashboard.health.stacks import stack_of, stratum_of

MARK: dict[str, Any] = {
    "kernel": "4.19.111",
    "driver": "6.4.3.5",
    "driver_line": "galcore version 6.4.3.5",
    "libraries": {"/usr/lib/librknn_runtime.so": "aa"},
    "clocks": {"npu_hz": 934000000, "npu_governor": "performance"},
    "python": "3.11.2",
    "quirks": [],
    "load": 0.1,
}


@pytest.mark.parametrize(
    ("change", "outputs", "times"),
    [
        ({"kernel": "5.10"}, True, True),
        ({"driver": "6.4.6.2"}, True, True),
        ({"libraries": {"/usr/lib/librknn_runtime.so": "bb"}}, True, True),
        ({"clocks": {"npu_hz": 400000000, "npu_governor": "performance"}}, False, True),
        ({"python": "3.12.0"}, False, True),
        ({"quirks": ["transpose-over-4d"]}, False, True),
        ({"driver_line": None}, False, False),
        ({"load": 3.0}, False, False),
    ],
)
def test_what_changes_with_a_field(change: dict[str, Any], outputs: bool, times: bool):
    other = {**MARK, **change}
    differs = (stack_of(MARK).key != stack_of(other).key, stratum_of(MARK) != stratum_of(other))
    assert differs == (outputs, times)
