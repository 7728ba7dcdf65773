"""Bit by bit: what counts as different, how it is told, and that metadata does not count."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from similarity import exact
from similarity.exact import FileDifference, compare_files, first_sentence
from similarity.tensorfile import TensorFile, write_tensors


def difference(folder: Path, one: dict[str, Any], other: dict[str, Any]) -> FileDifference:
    """How two files of these arrays differ."""
    for name, arrays, note in (("one", one, "a"), ("other", other, "b")):
        values = {key: np.asarray(value) for key, value in arrays.items()}
        write_tensors(folder / name, values, {"note": note})
    with TensorFile.open(folder / "one") as a, TensorFile.open(folder / "other") as b:
        return compare_files(a, b)


F32 = np.float32


def test_equal_tensors_are_equal_whatever_the_metadata_says(tmp_path: Path):
    assert difference(tmp_path, {"y": F32([1, 2])}, {"y": F32([1, 2])}).is_equal


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        (F32([1, 2, 3, 4]), F32([1, 2.5, 3, 8]), (2, 4.0, 1)),
        (F32([0.0]), F32([-0.0]), (1, 0.0, 0)),
        (F32([np.nan]), F32([np.nan]), None),
        (F32([1.0]), F32([np.nan]), (1, None, 0)),
        (F32([np.inf, 1]), F32([np.inf, 2]), (1, 1.0, 1)),
        (np.uint8([0, 255]), np.uint8([255, 255]), (1, 255.0, 0)),
        (np.int64([[1, 2], [3, 4]]), np.int64([[1, 2], [3, 5]]), (1, 1.0, 3)),
        (np.array(7, np.float16), np.array(9, np.float16), (1, 2.0, 0)),
        (np.array([True, False]), np.array([True, True]), (1, 1.0, 1)),
    ],
)
def test_what_differs_is_counted_measured_and_placed(tmp_path: Path, expected: Any, found: Any, told: Any):
    tensors = difference(tmp_path, {"y": expected}, {"y": found}).tensors
    assert [(t.differing, t.largest, t.first_index) for t in tensors] == ([told] if told else [])


def test_a_difference_behind_the_first_block_keeps_its_place(tmp_path: Path):
    one = np.zeros(exact.BLOCK + 10, np.uint8)
    other = one.copy()
    other[exact.BLOCK + 3] = 1
    assert difference(tmp_path, {"y": one}, {"y": other}).tensors[0].first_index == exact.BLOCK + 3


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"z": F32([1])}, "The output 'y' is missing."),
        ({"y": F32([1]), "a": F32([1])}, "The output 'a' is new."),
        ({"y": F32([[1]])}, "The output 'y' is F32 1x1 instead of F32 1."),
        ({"y": np.float64([1])}, "The output 'y' is F64 1 instead of F32 1."),
    ],
)
def test_a_tensor_that_has_no_partner_is_told(tmp_path: Path, found: dict[str, Any], words: str):
    assert words in difference(tmp_path, {"y": F32([1])}, found).strange


def test_the_first_difference_is_a_sentence(tmp_path: Path):
    told = difference(tmp_path, {"y": F32([1, 2])}, {"y": F32([1, 4])})
    assert first_sentence(told.as_dict()) == "Output 'y' differs in 1 of 2 values, by 2 at most."
