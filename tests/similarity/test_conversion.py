"""Whether the toolkit's own float graph is the source's: rounding passes, a changed number or order is named."""

import pytest

from similarity.compare import compare_dumps
from similarity.verdict import judge
from tests.similarity.networks import dump, noisy, replaced, traced_route, value_of

WRONG_ORDER = (0, 5, 4, 3, 2, 1)


@pytest.fixture
def verdict(tmp_path):
    """The verdict on a network whose toolkit's float graph is `converted`; quantization is fine, no board asked for."""

    def of(converted):
        source = dump(tmp_path, "source", traced_route())
        conversion = compare_dumps(source, dump(tmp_path, "converted", converted))
        quantization = compare_dumps(source, dump(tmp_path, "quantized", noisy(traced_route(), 0.01)))
        return judge(quantization, None, board_expected=False, conversion=conversion)

    return of


def test_float_rounding_is_a_faithful_conversion(verdict):
    assert verdict(noisy(traced_route(), 1e-6)).outcome == "pass"


def test_a_faithful_conversion_says_how_faithful(verdict):
    assert "The conversion is faithful (worst layer" in verdict(noisy(traced_route(), 1e-6)).sentence


def test_a_rewrite_that_changes_the_order_is_blamed_on_the_conversion(verdict):
    found = verdict(traced_route(WRONG_ORDER))
    assert (found.outcome, found.step, found.first_bad_layer) == ("fail", "conversion", "t/permute_1")


def test_a_wrong_order_is_called_so(verdict):
    assert "same numbers, different order" in verdict(traced_route(WRONG_ORDER)).sentence


def test_a_layer_that_is_off_by_a_percent_is_blamed_on_the_conversion(verdict):
    layers = traced_route()
    key = layers[2][0].key
    found = verdict(replaced(layers, key, value_of(layers, key) * 1.01))
    assert (found.step, found.first_bad_layer) == ("conversion", key)


def test_the_step_is_left_out_where_no_toolkit_shows_its_float_graph(tmp_path):
    source = dump(tmp_path, "source", traced_route())
    quantization = compare_dumps(source, dump(tmp_path, "quantized", noisy(traced_route(), 0.01)))
    assert "conversion" not in judge(quantization, None, board_expected=False).sentence
