"""Verdicts where only the float network and the board are known: by the network's outputs, without blaming a step."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from similarity.compare import compare_dumps
from similarity.reasons import Verdict
from similarity.whole_findings import judge_whole
from tests.similarity.networks import Rows, direct_route, dump, noisy

OUTPUT, INSIDE = "d/add", "d/conv3"
Judge = Callable[..., Verdict]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """The verdict on a board's layers, held against those of the direct route."""

    def judged(board: Rows, *more_outputs: str) -> Verdict:
        one, two = dump(tmp_path, "one", direct_route()), dump(tmp_path, "two", board)
        return judge_whole(compare_dumps(one, two), {OUTPUT, *more_outputs})

    return judged


def changed(key: str, *more: str) -> Rows:
    """The board computes other numbers in these layers."""
    rng = np.random.default_rng(1)
    return [
        (info, rng.standard_normal(array.shape).astype(np.float32) if info.key in {key, *more} else array)
        for info, array in direct_route()
    ]


def test_outputs_like_the_float_networks_pass(judge: Judge) -> None:
    verdict = judge(noisy(direct_route(), 0.03))
    assert (verdict.outcome, verdict.step, verdict.first_bad_layer) == ("pass", None, None)


def test_a_layer_inside_that_differs_is_no_fault_when_the_output_is_right(judge: Judge) -> None:
    assert judge(changed(INSIDE)).outcome == "pass"


def test_an_output_that_differs_fails_without_a_step(judge: Judge) -> None:
    verdict = judge(changed(OUTPUT))
    assert (verdict.outcome, verdict.step, verdict.first_bad_layer) == ("fail", None, OUTPUT)


def test_the_layer_where_most_of_it_comes_in_is_named(judge: Judge) -> None:
    rows = [(info, array * 100 if info.key == INSIDE else array) for info, array in changed(OUTPUT)]
    verdict = judge(rows)
    assert (verdict.first_bad_layer, "Most of it comes in at `d/conv3`" in verdict.sentence) == (INSIDE, True)


def test_an_output_of_another_size_fails(judge: Judge) -> None:
    rows = [(info, array * 2 if info.key == OUTPUT else array) for info, array in direct_route()]
    assert judge(rows).outcome == "fail"


def test_an_output_that_is_not_a_number_fails(judge: Judge) -> None:
    rows = [
        (info, array * np.float32("nan") if info.key == OUTPUT else array) for info, array in direct_route()
    ]
    assert judge(rows).outcome == "fail"


def test_without_an_output_among_the_layers_nobody_can_tell(judge: Judge) -> None:
    verdict = judge([row for row in noisy(direct_route(), 0.03) if row[0].key == INSIDE])
    assert (verdict.outcome, verdict.reasons[0].code) == ("cannot tell", "board:no-outputs")


def test_an_output_that_the_board_does_not_show_keeps_the_others_from_passing(judge: Judge) -> None:
    board = [row for row in noisy(direct_route(), 0.03) if row[0].key != INSIDE]
    verdict = judge(board, INSIDE)
    assert (verdict.outcome, verdict.reasons[0].code) == ("cannot tell", "board:no-outputs")


def test_a_wrong_output_fails_whatever_others_the_board_does_not_show(judge: Judge) -> None:
    board = [row for row in changed(OUTPUT) if row[0].key != INSIDE]
    assert judge(board, INSIDE).outcome == "fail"
