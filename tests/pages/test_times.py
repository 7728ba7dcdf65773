"""What the pages say about time: both executions' totals, and the layers' times scaled to the plain run."""

from typing import Any

import pytest
from django.test import Client

from dashboard.boards.models import RunResult
from dashboard.boards.times import Totals, totals_of
from dashboard.layers.charts import TIMES, layers_chart
from dashboard.layers.rows import LayerRow, layer_rows
from tests.factories import make_run
from tests.pages.conftest import SignIn, World

TIMED = [{"key": key, "time_us": time} for key, time in (("a", 100.0), ("b", 300.0))]


@pytest.fixture
def viewer(world: World, as_user: SignIn) -> Client:
    return as_user(world.viewer)


def _totals(**changes: Any) -> Totals:
    known = {"plain_us": 1000.0, "timed_us": 1300.0, "layers_us": 1250.0, "iterations": 20, "hangs": 0}
    return Totals(**{**known, **changes})


def _bars(rows: list[LayerRow]) -> dict[str, Any]:
    bars: dict[str, Any] = layers_chart(rows)["figure"]["data"][0]
    return bars


def test_scaled_times_add_up_to_the_plain_run() -> None:
    rows = layer_rows([], [], TIMED, plain_us=200.0)
    assert [row.scaled_us for row in rows] == [50.0, 150.0]


def test_the_measured_times_stay_beside_the_scaled_ones() -> None:
    assert [row.time_us for row in layer_rows([], [], TIMED, plain_us=200.0)] == [100.0, 300.0]


def test_without_a_plain_run_nothing_is_scaled() -> None:
    assert [row.scaled_us for row in layer_rows([], [], TIMED)] == [None, None]


def test_layers_that_took_no_time_at_all_are_not_scaled() -> None:
    assert layer_rows([], [], [{"key": "a", "time_us": 0.0}], plain_us=200.0)[0].scaled_us is None


def test_the_charts_bars_are_the_scaled_times() -> None:
    assert _bars(layer_rows([], [], TIMED, plain_us=200.0))["y"] == [50.0, 150.0]


def test_the_charts_bars_say_that_they_are_scaled() -> None:
    assert _bars(layer_rows([], [], TIMED, plain_us=200.0))["name"] == "time on the board, scaled"


def test_the_hover_tells_both_times() -> None:
    told = _bars(layer_rows([], [], TIMED, plain_us=200.0))["customdata"][1][2]
    assert "150.0 µs scaled" in told and "300.0 µs with timing on" in told


def test_bars_that_cannot_be_scaled_are_the_measured_times() -> None:
    assert _bars(layer_rows([], [], TIMED))["y"] == [100.0, 300.0]


def test_the_ratio_is_of_the_two_executions() -> None:
    assert _totals().ratio == 1.3


def test_the_scale_takes_the_layers_sum_to_the_plain_run() -> None:
    assert _totals().scale == 0.8


def test_an_ordinary_run_needs_no_remark() -> None:
    assert _totals().remarks == []


def test_hangs_are_counted_in_a_remark() -> None:
    assert "2 of 20 plain iterations hung" in _totals(hangs=2).remarks[0]


def test_the_scatter_between_two_executions_is_not_remarked() -> None:
    assert _totals(timed_us=980.0).remarks == []


def test_a_plain_run_slower_than_the_timed_one_is_remarked() -> None:
    assert "The plain run was slower" in _totals(timed_us=900.0).remarks[0]


@pytest.mark.django_db
def test_a_board_that_told_no_total_is_given_the_sum_of_its_layers() -> None:
    result = RunResult.objects.get(pk=make_run().result.pk)
    result.timed_total_us = None
    found = totals_of(result)
    assert found is not None and found.timed_us == 2400.0


@pytest.mark.django_db
def test_a_run_without_timed_layers_has_no_totals() -> None:
    assert totals_of(RunResult(median_us=1.0, timed_layers=[])) is None


@pytest.mark.parametrize("page", ["/evaluations/{evaluation}/", "/runs/{run}/", "/compare/?a={run}&b={run}"])
def test_pages_show_both_totals_and_their_ratio(world: World, viewer: Client, page: str) -> None:
    run = world.evaluation.legs.all()[0].run_id
    text = viewer.get(page.format(evaluation=world.evaluation.pk, run=run)).content.decode()
    assert f"Plain run 1.500 ms, with timing on 1.800 ms (1.20 {TIMES})" in text


@pytest.mark.parametrize("page", ["/evaluations/{evaluation}/", "/runs/{run}/", "/compare/?a={run}&b={run}"])
def test_pages_show_both_times_of_a_layer(world: World, viewer: Client, page: str) -> None:
    run = world.evaluation.legs.all()[0].run_id
    text = viewer.get(page.format(evaluation=world.evaluation.pk, run=run)).content.decode()
    assert ">250.0 µs</td>" in text and ">400.0 µs</td>" in text


def test_hangs_are_told_on_the_runs_page(world: World, viewer: Client) -> None:
    run = world.evaluation.legs.all()[0].run
    RunResult.objects.filter(run=run).update(hangs=1)
    assert "1 of 3 plain iterations hung" in viewer.get(f"/runs/{run.pk}/").content.decode()


def test_runs_are_compared_by_scaled_times(world: World, viewer: Client) -> None:
    first, second = (leg.run for leg in world.evaluation.legs.all())
    RunResult.objects.filter(run=second).update(median_us=3000.0)
    pairs = viewer.get(f"/compare/?a={first.pk}&b={second.pk}").context["found"].pairs
    assert [pair.slower_us for pair in pairs] == [250.0, 500.0, 750.0]
