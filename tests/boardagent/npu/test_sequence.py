"""The sequence check finds what one execution cannot show."""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from boardagent.npu import sequence
from tests.boardagent.npuchild import IMAGE, OFFSET, NpuRun

Make = Callable[..., NpuRun]


def checks(run: NpuRun) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in run.do("sequence").report["checks"]}


def test_a_sound_npu_shows_no_difference(rknn1: Make) -> None:
    assert [check["differing"] for check in checks(rknn1()).values()] == [[], [], []]


def test_repeats_and_reloads_are_as_asked(rknn1: Make) -> None:
    found = checks(rknn1(sequence={"repeats": 4, "reloads": 2}))
    assert {name: check["runs"] for name, check in found.items()} == {
        "same-input": 4,
        "alternating": 8,
        "reload": 2,
    }


@pytest.mark.parametrize(
    ("fault", "differs"),
    [
        ("noise", {"same-input", "alternating", "reload"}),
        ("first-right", {"same-input", "alternating"}),
        ("sticky", {"alternating"}),
    ],
)
def test_each_fault_shows_in_its_check(rknn1: Make, fault: str, differs: set[str]) -> None:
    found = checks(rknn1(f"fault {fault}"))
    assert {name for name, check in found.items() if check["differing"]} == differs


def test_how_far_outputs_differ_is_told(rknn1: Make) -> None:
    assert checks(rknn1("fault first-right"))["same-input"]["max_difference"] > 0.1


def test_executions_of_ten_medians_are_hangs(rknn1: Make) -> None:
    found = checks(rknn1("fault slow-once", sequence={"repeats": 16}))
    assert found["same-input"]["hangs"] >= 2


def test_the_job_may_name_the_second_input(rknn1: Make) -> None:
    run = rknn1("fault sticky", sequence={"repeats": 4, "second": "same.safetensors"})
    run.put_inputs({"image": IMAGE, "offset": OFFSET}, "same.safetensors")
    assert checks(run)["alternating"]["differing"] == []


def test_rknpu2_is_checked_alike(rknn2: Make) -> None:
    assert checks(rknn2("fault sticky"))["alternating"]["differing"]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.5),
        ([1.0], [1.0], 0.0),
        ([0.0], [float("nan")], sequence.LARGEST),
        ([float("-inf")], [1.0], sequence.LARGEST),
    ],
)
def test_the_largest_difference(one: list[float], other: list[float], expected: float) -> None:
    pack = struct.Struct(f"<{len(one)}f").pack
    assert sequence.max_difference(pack(*one), pack(*other)) == expected


def test_long_outputs_are_compared_to_their_end() -> None:
    values = np.zeros(5000, np.float32)
    other = values.copy()
    other[-1] = 3
    assert sequence.max_difference(values.tobytes(), other.tobytes()) == 3.0
