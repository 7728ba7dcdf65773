"""Verdicts on dumps with faults to order: the forum's case first."""

import math
from dataclasses import replace

import numpy as np
import pytest

from similarity.compare import compare_dumps
from similarity.ladder import split_errors
from similarity.verdict import Limits, judge
from tests.similarity.networks import direct_route, dump, noisy, replaced, traced_route, value_of

WRONG_ORDER = (0, 5, 4, 3, 2, 1)


@pytest.fixture
def step(tmp_path):
    """Compare two lists of layers as real dump files."""

    def compare(reference, candidate, **fields):
        return compare_dumps(dump(tmp_path, "one", reference), dump(tmp_path, "two", candidate, **fields))

    return compare


@pytest.fixture
def fine(step):
    return step(traced_route(), noisy(traced_route(), 0.03))


@pytest.fixture
def forum(step, fine):
    """The traced route, whose six-dimensional transpose runs in the wrong order on the board."""
    return judge(fine, step(traced_route(), noisy(traced_route(WRONG_ORDER), 0.005)))


def test_the_forums_network_fails_on_the_board(forum):
    assert (forum.outcome, forum.step) == ("fail", "board")


def test_the_forums_fault_is_found_at_the_transpose(forum):
    assert forum.first_bad_layer == "t/permute_1"


@pytest.mark.parametrize(
    "words",
    [
        "Quantization is fine",
        "The board leaves the quantized graph at `t/permute_1`",
        "order-free 1.000: same numbers, different order",
        "It is the first layer with more than four dimensions at its input.",
    ],
)
def test_the_forums_sentence_says(forum, words):
    assert words in forum.sentence


def test_the_forums_reason_has_its_code(forum):
    assert [(reason.code, reason.layer_key) for reason in forum.reasons] == [
        ("board:reordered", "t/permute_1")
    ]


def test_the_advice_is_to_avoid_more_than_four_dimensions(forum):
    assert any("four dimensions" in text for text in forum.advice)


def test_the_direct_route_passes(step):
    quantization = step(direct_route(), noisy(direct_route(), 0.03))
    verdict = judge(quantization, step(direct_route(), noisy(direct_route(), 0.005)))
    assert (verdict.outcome, verdict.first_bad_layer, verdict.step, verdict.reasons) == (
        "pass",
        None,
        None,
        (),
    )


def test_a_simulated_board_is_called_simulated(step, fine):
    assert "The simulated board" in judge(fine, step(traced_route(), traced_route(), simulated=True)).sentence


def test_layers_that_sink_inside_are_no_failure(step, fine):
    rows = noisy(traced_route(), 0.3)
    rows = replaced(rows, "t/add", value_of(traced_route(), "t/add"))
    assert judge(step(traced_route(), rows), fine).outcome == "pass"


def test_layers_that_sink_inside_are_candidates_for_hybrid_quantization(step, fine):
    rows = replaced(traced_route(), "t/conv3", value_of(noisy(traced_route(), 0.3), "t/conv3"))
    assert any(
        "hybrid" in text and "`t/conv3`" in text for text in judge(step(traced_route(), rows), fine).advice
    )


def test_an_output_that_lost_too_much_fails_quantization(step, fine):
    verdict = judge(step(traced_route(), replaced(traced_route(), "t/add", noisy_output(0.3))), fine)
    assert (verdict.step, verdict.reasons[0].code) == ("quantization", "quantization:output")


def noisy_output(amount):
    return value_of(noisy(traced_route(), amount), "t/add")


def test_a_wrong_input_is_told_from_bad_layers(step, fine):
    verdict = judge(step(traced_route(), noisy(traced_route(), 0.5)), fine)
    assert (verdict.step, verdict.first_bad_layer) == ("preprocessing", "t/conv0")


def test_a_layer_below_a_half_is_an_operators_bug(step, fine):
    rows = replaced(traced_route(), "t/conv3", -value_of(traced_route(), "t/conv3"))
    assert judge(step(traced_route(), rows), fine).reasons[0].code == "quantization:operator"


def test_nan_from_quantization_fails_at_its_layer(step, fine):
    rows = replaced(traced_route(), "t/conv3", value_of(traced_route(), "t/conv3") * math.nan)
    verdict = judge(step(traced_route(), rows), fine)
    assert (verdict.outcome, verdict.first_bad_layer) == ("fail", "t/conv3")


def test_nan_in_the_float_network_leaves_nothing_to_tell(step, fine):
    rows = replaced(traced_route(), "t/add", value_of(traced_route(), "t/add") * math.nan)
    assert judge(step(rows, traced_route()), fine).outcome == "cannot tell"


@pytest.fixture
def masked():
    """The traced route with a mask of -Inf inside, which its outputs do not show."""
    mask = value_of(traced_route(), "t/conv3").copy()
    mask[..., ::2] = -math.inf
    return replaced(traced_route(), "t/conv3", mask)


def test_a_mask_of_infinities_inside_is_nobodys_fault(step, masked):
    verdict = judge(step(masked, masked), step(masked, masked))
    assert (verdict.outcome, [reason.code for reason in verdict.reasons]) == ("pass", ["framework:nonfinite"])


def test_what_comes_after_a_mask_of_infinities_is_judged_again(step, fine, masked):
    rows = replaced(masked, "t/permute_1", value_of(traced_route(WRONG_ORDER), "t/permute_1"))
    assert judge(fine, step(masked, rows)).first_bad_layer == "t/permute_1"


def gridded(rows, key, array, scale=1.0):
    """`rows` with the values of layer `key` exchanged, on a grid of steps of `scale`."""
    return [
        (replace(info, scale=scale, zero_point=0), array) if info.key == key else (info, old)
        for info, old in rows
    ]


def faint_output():
    rng = np.random.default_rng(3)
    return rng.uniform(0, 0.4, value_of(traced_route(), "t/add").shape).astype(np.float32)


def test_a_faint_output_that_8_bits_cannot_hold_is_no_failure(step, fine):
    reference = replaced(traced_route(), "t/add", faint_output())
    candidate = gridded(reference, "t/add", faint_output() * 0)
    assert judge(step(reference, candidate), fine).outcome == "pass"


def test_an_output_that_flickers_by_one_step_on_the_board_is_no_drift(step, fine):
    steps = np.rint(faint_output() + 0.2)
    reference = gridded(traced_route(), "t/add", steps)
    assert judge(fine, step(reference, gridded(traced_route(), "t/add", 1 - steps))).outcome == "pass"


def test_the_board_may_be_off_where_quantization_is_off_further(step):
    rough = replaced(traced_route(), "t/conv3", value_of(noisy(traced_route(), 0.4), "t/conv3"))
    board = replaced(traced_route(), "t/conv3", value_of(noisy(traced_route(), 0.2, 9), "t/conv3"))
    assert judge(step(traced_route(), rough), step(traced_route(), board)).outcome == "pass"


def test_where_quantization_has_broken_a_layer_the_board_is_not_judged(step):
    broken = replaced(traced_route(), "t/conv3", value_of(traced_route(), "t/conv3") * 0)
    board = replaced(broken, "t/conv3", value_of(noisy(traced_route(), 0.2, 9), "t/conv3"))
    reasons = judge(step(traced_route(), broken), step(broken, board)).reasons
    assert [reason.code for reason in reasons] == ["quantization:operator"]


def test_the_board_may_not_be_off_where_quantization_is_right(step, fine):
    board = replaced(traced_route(), "t/conv3", value_of(noisy(traced_route(), 0.2, 9), "t/conv3"))
    assert judge(fine, step(traced_route(), board)).first_bad_layer == "t/conv3"


def test_an_output_with_half_its_size_fails_quantization(step, fine):
    rows = replaced(traced_route(), "t/add", value_of(traced_route(), "t/add") / 2)
    assert judge(step(traced_route(), rows), fine).reasons[0].code == "quantization:output"


def test_a_poor_output_is_traced_back_to_where_it_begins(step, fine):
    rows = noisy(traced_route(), 0.001)
    start = [info.key for info, _ in rows].index("t/reshape_0")
    rows[start:] = noisy(traced_route(), 0.4)[start:]
    assert judge(step(traced_route(), rows), fine).first_bad_layer == "t/reshape_0"


def test_a_layer_unlike_its_reference_that_only_carries_error_is_not_called_broken(step, fine):
    start = [info.key for info, _ in traced_route()].index("t/conv3")
    rows = [*traced_route()[:start], *noisy(traced_route(), 3.0)[start:]]
    reasons = judge(step(traced_route(), rows), fine).reasons
    assert [reason.layer_key for reason in reasons] == ["t/conv3"]


def test_nan_on_the_board_fails_at_its_layer(step, fine):
    rows = replaced(traced_route(), "t/conv3", value_of(traced_route(), "t/conv3") * math.nan)
    assert judge(fine, step(traced_route(), rows)).reasons[0].code == "board:nonfinite"


def test_an_output_of_zeros_points_to_the_kernel_log(step, fine):
    rows = replaced(traced_route(), "t/add", value_of(traced_route(), "t/add") * 0)
    assert any("kernel log" in text for text in judge(fine, step(traced_route(), rows)).advice)


def test_a_layer_that_carries_error_is_not_blamed(step, fine):
    rows = noisy(traced_route(), 0.4)
    good = [(info, old) for info, old in traced_route()][:4]
    verdict = judge(fine, step(traced_route(), [*good, *rows[4:]]))
    assert (verdict.first_bad_layer, len(verdict.reasons)) == ("t/conv2", 1)


def test_a_broken_first_layer_on_the_board_is_a_matter_of_its_input(step, fine):
    rows = replaced(traced_route(), "t/conv0", value_of(noisy(traced_route(), 2.0), "t/conv0"))
    assert judge(fine, step(traced_route(), rows)).step == "preprocessing"


def test_a_single_broken_operator_is_named(step, fine):
    rows = replaced(traced_route(), "t/conv3", -value_of(traced_route(), "t/conv3"))
    assert judge(fine, step(traced_route(), rows)).reasons[0].code == "board:operator"


def test_the_earliest_step_that_fails_names_the_verdict(step):
    bad = step(traced_route(), replaced(traced_route(), "t/add", noisy_output(0.3)))
    assert judge(bad, step(traced_route(), traced_route(WRONG_ORDER))).step == "quantization"


def test_both_failing_steps_give_their_reasons(step):
    bad = step(traced_route(), replaced(traced_route(), "t/add", noisy_output(0.3)))
    verdict = judge(bad, step(traced_route(), traced_route(WRONG_ORDER)))
    assert [reason.code for reason in verdict.reasons] == ["quantization:output", "board:reordered"]


def test_honest_rounding_is_no_divergence(step, fine):
    rows = [(replace(info, scale=2.0, zero_point=0), array) for info, array in traced_route()]
    rounded = [(info, np.round(array / 2) * np.float32(2)) for info, array in rows]
    assert judge(fine, step(traced_route(), rounded), Limits(board_output_cosine=0.0)).outcome == "pass"


@pytest.mark.parametrize("missing", ["quantization", "board", "both"])
def test_a_missing_step_is_never_a_pass(fine, missing):
    quantization = None if missing in ("quantization", "both") else fine
    board = None if missing in ("board", "both") else fine
    assert judge(quantization, board).outcome == "cannot tell"


def test_without_a_board_asked_for_quantization_alone_decides(fine):
    assert judge(fine, None, board_expected=False).outcome == "pass"


def test_dumps_without_a_common_layer_cannot_be_judged(step, fine):
    other = [(replace(info, key=f"x{info.key}", inputs=()), array * 9 + 5) for info, array in direct_route()]
    assert judge(fine, step(direct_route(), other)).outcome == "cannot tell"


def test_inputs_that_are_not_known_count_as_the_layer_before(step, fine):
    reference = [(replace(info, inputs=()), array) for info, array in traced_route()]
    candidate = [(replace(info, inputs=()), array) for info, array in traced_route(WRONG_ORDER)]
    verdict = judge(fine, step(reference, candidate))
    assert (verdict.first_bad_layer, "four dimensions" in verdict.sentence) == ("t/permute_1", True)


def test_the_error_of_a_layer_is_split_among_the_steps(step, fine):
    rows = split_errors({"quantization": fine, "board": step(traced_route(), traced_route(WRONG_ORDER))})
    permute = next(row for row in rows if row.layer_key == "t/permute_1")
    assert ([share.step for share in permute.shares], permute.largest) == (["quantization", "board"], "board")


def test_a_layer_before_the_fault_owes_its_error_to_quantization(step, fine):
    rows = split_errors({"quantization": fine, "board": step(traced_route(), traced_route(WRONG_ORDER))})
    assert rows[0].largest == "quantization"


def test_a_layer_without_error_has_no_worst_step(step):
    rows = split_errors({"board": step(traced_route(), traced_route())})
    assert {row.largest for row in rows} == {None}


def test_a_carried_error_is_not_introduced_again(step):
    rows = split_errors({"board": step(traced_route(), traced_route(WRONG_ORDER))})
    reshape = next(row for row in rows if row.layer_key == "t/reshape_1")
    assert reshape.shares[0].introduced == 0.0


def test_noise_of_the_same_bell_shape_is_not_called_a_reordering(step, fine):
    other = noisy(traced_route(), 1.0, seed=9)
    rows = replaced(traced_route(), "t/conv3", value_of(other, "t/conv3"))
    assert judge(fine, step(traced_route(), rows)).reasons[0].code == "board:diverges"
