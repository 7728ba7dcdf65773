"""Scores of two tensors: tables worked by hand, and a float64 reference for everything else."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from similarity.metrics import core_scores, lsb_percentile, order_free
from similarity.onepass import BLOCK, ROW
from similarity.stored import StoredTensor

NAN, INF = math.nan, math.inf
ROOT2 = math.sqrt(2)

# reference, candidate, cosine, euclidean, euclidean_norm, relative_l2, sqnr_db, gain, max_abs, mean_abs
BY_HAND = [
    ([3, 4], [3, 4], 1, 0, 0, 0, INF, 1, 0, 0),
    ([3, 4], [6, 8], 1, 5, 0, 1, 0, 2, 4, 3.5),
    ([3, 4], [-3, -4], -1, 10, 2, 2, -6.0205999, -1, 8, 7),
    ([1, 0], [0, 1], 0, ROOT2, ROOT2, ROOT2, -3.0103, 0, 1, 1),
    ([3, 4], [4, 3], 0.96, ROOT2, math.sqrt(0.08), ROOT2 / 5, 10.9691001, 0.96, 1, 1),
    ([10, 0], [9, 0], 1, 1, 0, 0.1, 20, 0.9, 1, 0.5),
    ([0, 0], [0, 0], 1, 0, 0, 0, INF, 1, 0, 0),
    ([0, 0], [3, 4], 0, 5, ROOT2, INF, -INF, NAN, 4, 3.5),
    ([3, 4], [0, 0], 0, 5, ROOT2, 1, 0, 0, 4, 3.5),
    ([], [], 1, 0, 0, 0, INF, 1, 0, 0),
]
COLUMNS = ("cosine", "euclidean", "euclidean_norm", "relative_l2", "sqnr_db", "gain", "max_abs", "mean_abs")


def floats(values):
    return np.array(values, np.float32)


@pytest.mark.parametrize("row", BY_HAND, ids=lambda row: f"{row[0]} and {row[1]}")
def test_scores_are_those_worked_by_hand(row):
    scores = core_scores(floats(row[0]), floats(row[1]))
    assert [getattr(scores, name) for name in COLUMNS] == pytest.approx(row[2:], abs=1e-6, nan_ok=True)


def test_nan_and_infinity_are_counted_in_each_tensor():
    scores = core_scores(floats([NAN, 1, 2]), floats([INF, -INF, 2]))
    assert (scores.nonfinite_reference, scores.nonfinite_candidate) == (1, 2)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_nan_makes_every_error_figure_a_nan(name):
    assert math.isnan(getattr(core_scores(floats([1, 2]), floats([NAN, 2])), name))


def test_a_nan_in_a_late_block_is_found():
    candidate = np.ones(2 * BLOCK + 7, np.float32)
    candidate[-1] = NAN
    assert core_scores(np.ones_like(candidate), candidate).nonfinite_candidate == 1


def test_tensors_of_different_size_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        core_scores(np.ones(3, np.float32), np.ones(4, np.float32))


def test_steps_are_the_largest_difference_over_the_scale():
    assert core_scores(floats([1, 2]), floats([1, 2.5]), scale=0.25).lsb_max == 2


def test_without_a_scale_steps_are_not_known():
    assert core_scores(floats([1]), floats([2])).lsb_max is None


def test_the_share_of_saturated_values_counts_both_ends():
    candidate = floats([-1.0, -0.9, 0.0, 2.0])
    scores = core_scores(candidate, candidate, scale=0.1, qmin_value=-1.0, qmax_value=2.0)
    assert scores.saturated == 0.5


def test_without_a_range_saturation_is_not_known():
    assert core_scores(floats([1]), floats([1]), scale=0.1).saturated is None


def test_order_free_is_one_for_the_same_numbers_in_another_order():
    values = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    assert order_free(values, values[::-1]) == 1.0


def test_order_free_tells_other_numbers_apart():
    assert order_free(floats([1, 0, 0, 0]), floats([1, 1, 1, 1])) == pytest.approx(0.5)


def test_the_percentile_leaves_one_in_a_thousand_out():
    candidate = np.zeros(1000, np.float32)
    candidate[3], candidate[500] = 100, 7
    assert lsb_percentile(np.zeros(1000, np.float32), candidate, scale=0.5) == 14


def test_the_percentile_of_nothing_is_zero():
    assert lsb_percentile(floats([]), floats([]), scale=1.0) == 0.0


def test_json_never_holds_a_number_that_json_cannot_hold():
    rows = [core_scores(floats(row[0]), floats(row[1])).as_dict() for row in BY_HAND]
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


@pytest.mark.parametrize(
    ("reference", "candidate", "flags"),
    [
        ([1, 2], [1, 2], (True, True, False)),
        ([1, 2], [1, 3], (False, True, False)),
        ([0, 0], [1, 3], (False, True, True)),
        ([1, 2], [NAN, 2], (False, False, False)),
    ],
)
def test_flags_say_why_a_number_is_missing(reference, candidate, flags):
    row = core_scores(floats(reference), floats(candidate)).as_dict()
    assert (row["exact"], row["finite"], row["zero_reference"]) == flags


def test_an_integer_tensor_is_read_through_its_scale():
    stored = StoredTensor(np.array([0, 128, 255], np.uint8), 0.5, 128)
    assert core_scores(floats([-64, 0, 63.5]), stored).is_exact


def test_a_tensor_that_is_not_contiguous_is_read_in_logical_order():
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert core_scores(values.T, np.ascontiguousarray(values.T)).is_exact


@pytest.mark.parametrize("factor", [1e-30, 1e-22, 1e19, 1e30])
def test_squares_beyond_float32_do_not_change_the_cosine(factor):
    reference = floats([3, 4]) * np.float32(factor)
    assert core_scores(reference, floats([4, 3]) * np.float32(factor)).cosine == pytest.approx(0.96, abs=1e-6)


def test_the_normed_distance_keeps_its_digits_where_the_cosine_has_none():
    reference = np.ones(20_000, np.float32)
    candidate = reference.copy()
    candidate[::2] += 2.0**-13
    a, b = reference.astype(np.float64), candidate.astype(np.float64)
    expected = np.linalg.norm(a / np.linalg.norm(a) - b / np.linalg.norm(b))
    assert core_scores(reference, candidate).euclidean_norm == pytest.approx(expected, rel=1e-3)


def reference_scores(a, b):
    """The definitions, word for word, in float64."""
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    norm_a, norm_b, difference = np.sqrt(a @ a), np.sqrt(b @ b), np.abs(a - b)
    euclidean = np.sqrt(difference @ difference)
    return {
        "cosine": a @ b / (norm_a * norm_b),
        "relative_l2": euclidean / norm_a,
        "gain": a @ b / (norm_a * norm_a),
        "max_abs": difference.max(),
        "mean_abs": difference.mean(),
    }


def check_against_reference(a, b):
    expected = reference_scores(a, b)
    found = core_scores(a, b)
    scale = max(1.0, abs(expected["gain"]), expected["relative_l2"])
    assert {name: getattr(found, name) for name in ("cosine", "relative_l2", "gain")} == pytest.approx(
        {name: expected[name] for name in ("cosine", "relative_l2", "gain")}, rel=1e-5, abs=5e-7 * scale
    )
    assert (found.max_abs, found.mean_abs) == pytest.approx(
        (expected["max_abs"], expected["mean_abs"]), rel=1e-5
    )


elements = st.floats(-(2.0**60), 2.0**60, width=32, allow_subnormal=False)
pairs = st.integers(1, 60).flatmap(
    lambda size: st.tuples(*(arrays.arrays(np.float32, size, elements=elements) for _ in range(2)))
)


@given(pairs)
@settings(max_examples=200, deadline=None)
def test_small_tensors_agree_with_the_float64_reference(pair):
    a, b = pair
    if float(np.abs(a).max()) > 1e-15 and float(np.abs(b).max()) > 1e-15:
        check_against_reference(a, b)


@pytest.mark.parametrize("size", [ROW - 1, ROW, ROW + 1, BLOCK, BLOCK + ROW + 3, 3 * BLOCK - 1])
@pytest.mark.parametrize("noise", [1e-6, 1e-3, 1.0, 100.0])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_large_tensors_agree_with_the_float64_reference(size, noise, offset):
    rng = np.random.default_rng(size)
    a = (rng.standard_normal(size) + offset).astype(np.float32)
    check_against_reference(a, (a + noise * rng.standard_normal(size)).astype(np.float32))


def test_the_cosine_of_a_large_constant_tensor_has_all_its_digits():
    a = np.full(5_000_000, 0.1, np.float32)
    assert core_scores(a, a * np.float32(0.3)).cosine == pytest.approx(1.0, abs=1e-9)
