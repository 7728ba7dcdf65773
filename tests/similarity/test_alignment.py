"""Which layer is which: by key, by source, by value, and never out of order."""

import time

import numpy as np
import pytest

from similarity.alignment import align
from similarity.dumpfile import layer_of
from tests.similarity.networks import chained, direct_route, dump, noisy, replaced, traced_route, value_of


def keys_of(alignment):
    return [(pair.reference.key, pair.candidate.key) for pair in alignment.pairs]


def without_prefix(alignment):
    return [(a.split("/")[1], b.split("/")[1]) for a, b in keys_of(alignment)]


@pytest.fixture
def routes(tmp_path):
    return align(dump(tmp_path, "framework", direct_route()), dump(tmp_path, "framework", traced_route()))


def test_two_builds_of_one_graph_pair_by_key_whatever_their_values(tmp_path):
    broken = replaced(direct_route(), "d/conv2", value_of(direct_route(), "d/conv2") * 0)
    alignment = align(dump(tmp_path, "quantized", direct_route()), dump(tmp_path, "board", broken))
    assert all(a == b for a, b in keys_of(alignment))


def test_nothing_is_left_over_between_two_builds_of_one_graph(tmp_path):
    alignment = align(dump(tmp_path, "quantized", direct_route()), dump(tmp_path, "board", direct_route()))
    assert (len(alignment.pairs), alignment.only_in_reference, alignment.only_in_candidate) == (14, (), ())


def test_every_layer_that_both_routes_have_is_paired_with_its_like(routes):
    assert without_prefix(routes) == [
        *((name, name) for index in range(5) for name in (f"conv{index}", f"prelu{index}")),
        ("conv5", "conv5"),
        ("depth_to_space", "reshape_1"),
        ("resize", "resize"),
        ("add", "add"),
    ]


def test_the_direct_route_has_nothing_of_its_own(routes):
    assert routes.only_in_reference == ()


def test_the_extra_layers_of_the_traced_route_lead_to_depth_to_space(routes):
    groups = [([layer.key for layer in group.layers], group.stands_for) for group in routes.only_in_candidate]
    assert groups == [(["t/reshape_0", "t/permute_1"], "d/depth_to_space")]


def test_pairs_say_that_they_were_found_by_value(routes):
    assert {pair.found_by for pair in routes.pairs} == {"value"}


def test_routes_with_other_layouts_pair_too(tmp_path):
    rows = [
        (layer_of(turned, info.key, info.op, layout="NHWC"), turned)
        for info, array in direct_route()
        for turned in [np.ascontiguousarray(array.transpose(0, 2, 3, 1))]
    ]
    alignment = align(dump(tmp_path, "framework", traced_route()), dump(tmp_path, "framework", rows))
    assert len(alignment.pairs) == 14


def test_routes_pair_though_one_is_quantized(tmp_path):
    rows = [
        (layer_of(array, info.key, info.op, scale=0.02, zero_point=0), array)
        for info, array in noisy(traced_route(), 0.01)
    ]
    alignment = align(dump(tmp_path, "framework", direct_route()), dump(tmp_path, "quantized", rows))
    assert len(alignment.pairs) == 14


def test_layers_of_equal_value_keep_their_operators_and_their_order(tmp_path):
    x = np.random.default_rng(1).standard_normal((1, 4, 6)).astype(np.float32)
    one = [(layer_of(x, "a1", "Relu"), x), (layer_of(x, "a2", "Reshape"), x), (layer_of(x, "a3", "Clip"), x)]
    two = [(layer_of(x, "b1", "Relu"), x), (layer_of(x, "b3", "Clip"), x)]
    alignment = align(dump(tmp_path, "framework", one), dump(tmp_path, "framework", two))
    assert keys_of(alignment) == [("a1", "b1"), ("a3", "b3")]


def test_a_fused_layer_pairs_with_the_last_layer_it_contains(tmp_path):
    conv = np.random.default_rng(1).standard_normal((1, 4, 6)).astype(np.float32)
    relu = np.maximum(conv, 0)
    plain = [
        (layer_of(conv, "a", "Conv", sources=("c",)), conv),
        (layer_of(relu, "b", "Relu", sources=("r",)), relu),
    ]
    fused = [(layer_of(relu, "q", "Conv", sources=("c", "r")), np.zeros_like(relu))]
    alignment = align(dump(tmp_path, "framework", plain), dump(tmp_path, "quantized", fused))
    assert keys_of(alignment) == [("b", "q")]


def test_a_key_that_stands_for_another_size_does_not_pair(tmp_path):
    a, b = np.ones((1, 4), np.float32), np.ones((1, 9), np.float32)
    alignment = align(
        dump(tmp_path, "x", [(layer_of(a, "k"), a)]), dump(tmp_path, "y", [(layer_of(b, "k"), b)])
    )
    assert alignment.pairs == ()


def test_keys_that_cross_are_not_both_paired(tmp_path):
    a = np.ones((1, 4), np.float32)
    one = [(layer_of(a, key), a * place) for place, key in enumerate("xyz")]
    two = [(layer_of(a, key), a * 10) for key in "zxy"]
    alignment = align(dump(tmp_path, "x", one), dump(tmp_path, "y", two))
    assert keys_of(alignment) == [("x", "x"), ("y", "y")]


def test_the_last_layers_of_a_graph_stand_for_nothing(tmp_path):
    one = direct_route()
    alignment = align(dump(tmp_path, "x", one), dump(tmp_path, "y", one[:-1]))
    assert [group.stands_for for group in alignment.only_in_reference] == [None]


def test_dumps_without_a_common_layer_have_no_pairs(tmp_path):
    rows = [(layer_of(array, f"n{info.key}"), array * 7 + 3) for info, array in direct_route()]
    assert align(dump(tmp_path, "x", direct_route()), dump(tmp_path, "y", rows)).pairs == ()


def chain(prefix, count):
    rng = np.random.default_rng(3)
    rows = []
    for index in range(count):
        array = rng.standard_normal((1, 8, 16, 16)).astype(np.float32)
        rows.append((chained(rows, array, f"{prefix}{index}", "Conv"), array))
    return rows


def test_two_hundred_layers_of_one_shape_pair_in_order(tmp_path):
    alignment = align(dump(tmp_path, "x", chain("a", 200)), dump(tmp_path, "y", chain("b", 200)))
    assert keys_of(alignment) == [(f"a{index}", f"b{index}") for index in range(200)]


def test_two_hundred_quantized_layers_pair_in_seconds(tmp_path):
    rows = [(layer_of(a, i.key, i.op, scale=0.03, zero_point=0), a) for i, a in noisy(chain("b", 200), 0.01)]
    started = time.monotonic()
    alignment = align(dump(tmp_path, "x", chain("a", 200)), dump(tmp_path, "y", rows))
    assert (len(alignment.pairs), time.monotonic() - started < 60) == (200, True)
