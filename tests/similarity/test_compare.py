"""Comparisons of real dump files: scores, second looks, and what is only presentation."""

import json
import math

import numpy as np
import pytest

from similarity.compare import compare_dumps
from similarity.dumpfile import layer_of
from tests.similarity.networks import direct_route, dump, noisy, replaced, traced_route, value_of

X = np.random.default_rng(4).standard_normal((1, 8, 6, 5)).astype(np.float32)


def compare_one(folder, reference, candidate, reference_fields=None, candidate_fields=None):
    one = layer_of(reference, "k", "Conv", **(reference_fields or {}))
    two = layer_of(candidate, "k", "Conv", **(candidate_fields or {}))
    comparison = compare_dumps(dump(folder, "a", [(one, reference)]), dump(folder, "b", [(two, candidate)]))
    return comparison.layers[0]


def test_equal_dumps_are_exact_in_every_layer(tmp_path):
    rows = direct_route()
    comparison = compare_dumps(dump(tmp_path, "a", rows), dump(tmp_path, "b", rows))
    assert all(layer.scores.is_exact for layer in comparison.layers)


def test_progress_is_told_after_every_layer(tmp_path):
    rows, told = direct_route(), []
    compare_dumps(dump(tmp_path, "a", rows), dump(tmp_path, "b", rows), lambda *numbers: told.append(numbers))
    assert told == [(done, 14) for done in range(1, 15)]


def test_a_comparison_with_a_simulated_dump_is_simulated(tmp_path):
    rows = direct_route()
    assert compare_dumps(dump(tmp_path, "a", rows), dump(tmp_path, "b", rows, simulated=True)).simulated


def test_a_good_layer_gets_no_second_look(tmp_path):
    assert compare_one(tmp_path, X, X).scores.order_free is None


def test_a_bad_layer_gets_its_sorted_cosine(tmp_path):
    assert compare_one(tmp_path, X, -X).scores.order_free is not None


def test_a_bad_quantized_layer_gets_its_percentile_in_steps(tmp_path):
    candidate = np.full(X.shape, 3, np.uint8)
    layer = compare_one(tmp_path, np.zeros_like(X), candidate, {}, {"scale": 0.5, "zero_point": 1})
    assert layer.scores.lsb_p999 == 2


def test_saturation_is_counted_in_the_candidates_range(tmp_path):
    candidate = np.array([0, 1, 2, 255], np.uint8)
    fields = {"scale": 0.5, "zero_point": 0, "qmin": 0, "qmax": 255}
    assert compare_one(tmp_path, np.ones(4, np.float32), candidate, {}, fields).scores.saturated == 0.5


def test_the_same_numbers_under_one_shape_are_a_fault_of_order(tmp_path):
    layer = compare_one(tmp_path, X, np.ascontiguousarray(X.transpose(0, 2, 3, 1)).reshape(X.shape))
    assert (layer.order_is_fault, layer.is_reordered, layer.scores.cosine < 0.5) == (True, True, True)


def test_a_declared_layout_is_only_presentation(tmp_path):
    turned = np.ascontiguousarray(X.transpose(0, 2, 3, 1))
    layer = compare_one(tmp_path, X, turned, {"layout": "NCHW"}, {"layout": "NHWC"})
    assert (layer.order_is_fault, layer.scores.is_exact) == (False, True)


def test_wrong_values_in_a_declared_layout_are_compared_in_that_layout(tmp_path):
    turned = np.ascontiguousarray(X.transpose(0, 2, 3, 1)) * 5
    layer = compare_one(tmp_path, X, turned, {"layout": "NCHW"}, {"layout": "NHWC"})
    assert layer.scores.cosine == pytest.approx(1.0)


def test_padded_channels_are_left_out(tmp_path):
    padded = np.pad(X, ((0, 0), (0, 8), (0, 0), (0, 0)))
    assert compare_one(tmp_path, X, padded).scores.is_exact


def test_nan_is_noted_with_its_count(tmp_path):
    broken = X.copy()
    broken[0, 0, 0, :2] = math.nan
    assert "2 in the candidate" in compare_one(tmp_path, X, broken).note


def test_a_layer_that_is_all_zero_is_seen(tmp_path):
    assert compare_one(tmp_path, X, np.zeros_like(X)).candidate_is_zero


def test_a_layer_that_should_be_zero_is_no_fault(tmp_path):
    assert not compare_one(tmp_path, np.zeros_like(X), np.zeros_like(X)).candidate_is_zero


def test_rows_are_json_whatever_the_values(tmp_path):
    rows = replaced(direct_route(), "d/conv1", value_of(direct_route(), "d/conv1") * math.nan)
    comparison = compare_dumps(dump(tmp_path, "a", direct_route()), dump(tmp_path, "b", rows))
    text = json.dumps([layer.as_dict() for layer in comparison.layers], allow_nan=False)
    assert len(json.loads(text)) == 14


def test_two_routes_are_compared_pair_by_pair(tmp_path):
    comparison = compare_dumps(dump(tmp_path, "a", direct_route()), dump(tmp_path, "b", traced_route()))
    assert min(layer.scores.cosine for layer in comparison.layers) > 0.999999


def test_layers_of_only_one_route_are_kept(tmp_path):
    comparison = compare_dumps(
        dump(tmp_path, "a", direct_route()), dump(tmp_path, "b", noisy(traced_route(), 1e-5))
    )
    assert [len(group.layers) for group in comparison.only_in_candidate] == [2]


def test_the_most_dimensions_that_feed_a_layer_are_known(tmp_path):
    rows = traced_route()
    comparison = compare_dumps(dump(tmp_path, "a", rows), dump(tmp_path, "b", rows))
    ranks = {layer.reference_key: layer.input_rank for layer in comparison.layers}
    assert (ranks["t/reshape_0"], ranks["t/permute_1"]) == (4, 6)
