"""What of a fingerprint becomes a number, and what a board may say without anything being stored of it."""

from typing import Any

import pytest

from dashboard.telemetry.readings import numbers_of

NOTHING = {
    "temperature_c": None,
    "load": None,
    "mem_available_kb": None,
    "disk_free_bytes": None,
    "npu_hz": None,
    "cpu_hz": None,
    "ddr_hz": None,
}


def test_a_whole_fingerprint_gives_every_number() -> None:
    told = {
        "temperature_mc": 51_250,
        "load": 0.25,
        "mem_available_kb": 180_000,
        "disk_free_bytes": 2_000_000,
        "clocks": {"npu_hz": 934_000_000, "cpu_hz": 1_512_000_000, "ddr_hz": 924_000_000},
    }
    assert numbers_of(told) == {
        "temperature_c": 51.25,
        "load": 0.25,
        "mem_available_kb": 180_000,
        "disk_free_bytes": 2_000_000,
        "npu_hz": 934_000_000,
        "cpu_hz": 1_512_000_000,
        "ddr_hz": 924_000_000,
    }


def test_degrees_are_taken_where_thousandths_are_not_told() -> None:
    assert numbers_of({"temperature_c": 44})["temperature_c"] == 44.0


@pytest.mark.parametrize(
    "nonsense", ["hot", "51250", True, None, -1, 10**400, 1e300, float("inf"), float("nan"), [51], {"a": 1}]
)
@pytest.mark.parametrize("field", ["load", "mem_available_kb", "disk_free_bytes"])
def test_what_is_no_number_of_the_field_is_nothing(field: str, nonsense: Any) -> None:
    assert numbers_of({field: nonsense}) == NOTHING


@pytest.mark.parametrize("nonsense", ["934 MHz", -5, 10**30, float("nan"), [1], True])
def test_a_clock_that_is_no_frequency_is_nothing(nonsense: Any) -> None:
    assert numbers_of({"clocks": {"npu_hz": nonsense}}) == NOTHING


@pytest.mark.parametrize("clocks", ["fast", 7, None, [1], {}])
def test_clocks_that_are_no_map_are_nothing(clocks: Any) -> None:
    assert numbers_of({"clocks": clocks}) == NOTHING


@pytest.mark.parametrize("thousandths", [300_001, -100_001, "warm"])
def test_a_temperature_that_no_board_survives_is_nothing(thousandths: Any) -> None:
    assert numbers_of({"temperature_mc": thousandths})["temperature_c"] is None
