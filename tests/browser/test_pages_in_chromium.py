"""The pages as people meet them: signing in, charts, polling, themes, a small screen."""

import time

import pytest

from tests.browser.conftest import Window
from tests.claims import claim_with_board
from tests.factories import PASSWORD, begin, make_evaluation, make_queued_run, make_visit
from tests.pages.conftest import World

pytestmark = [pytest.mark.browser]


def _pieces(window: Window) -> int:
    """How many pieces htmx has asked for."""
    return sum(1 for request in window.requests if request.headers.get("hx-request"))


def _of(world: World, page: str) -> str:
    version, leg = world.evaluation.version_id, world.evaluation.legs.all()[0].pk
    return page.format(evaluation=world.evaluation.pk, board=world.board.pk, version=version, leg=leg)


def test_somebody_signs_in_and_sees_the_projects(window: Window, world: World) -> None:
    window.open("/")
    window.page.fill("input[name=username]", "vera")
    window.page.fill("input[name=password]", PASSWORD)
    window.page.click("main button")
    assert window.page.locator("main table").inner_text().count("Vision") == 1


def test_an_evaluation_draws_a_chart_for_every_route(signed_in: Window, world: World) -> None:
    signed_in.open(f"/evaluations/{world.evaluation.pk}/")
    signed_in.page.wait_for_selector(".chart[data-drawn=yes] >> nth=1")
    assert signed_in.page.locator(".chart .main-svg .scatterlayer").count() >= 2


def test_the_metric_is_switched(signed_in: Window, world: World) -> None:
    signed_in.open(f"/evaluations/{world.evaluation.pk}/")
    signed_in.page.wait_for_selector(".chart[data-drawn=yes] >> nth=1")
    signed_in.page.locator("[data-choice='1']").first.click()
    signed_in.page.wait_for_selector(".y2title >> text=SQNR")
    assert signed_in.page.locator("[data-choice='1']").first.get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("page", ["/models/{model}/history/", "/compare/?a={run}&b={run}", "/runs/{run}/"])
def test_other_pages_draw_their_charts(signed_in: Window, world: World, page: str) -> None:
    run = world.evaluation.legs.all()[0].run_id
    signed_in.open(page.format(model=world.evaluation.version.model_id, run=run))
    signed_in.page.wait_for_selector(".chart[data-drawn=yes]")
    assert signed_in.page.locator(".chart svg.main-svg").count() >= 1


def test_an_ended_evaluation_asks_for_nothing_more(signed_in: Window, world: World) -> None:
    signed_in.open(f"/evaluations/{world.evaluation.pk}/")
    time.sleep(2.6)
    assert _pieces(signed_in) == 0


def test_progress_arrives_without_loading_the_page(signed_in: Window, world: World) -> None:
    waiting = make_evaluation(world.evaluation.version, ended=False, board=world.board)
    signed_in.open(f"/evaluations/{waiting.pk}/")
    conversion = begin(waiting.legs.all()[0].conversion)
    conversion.reached(conversion.fence, "quantizing", 3, 8)
    signed_in.page.wait_for_selector("text=quantizing", timeout=8000)
    assert _pieces(signed_in) >= 1


def test_polling_stops_when_the_job_has_ended(signed_in: Window, world: World) -> None:
    conversion = (
        make_evaluation(world.evaluation.version, ended=False, board=world.board).legs.all()[0].conversion
    )
    begin(conversion)
    signed_in.open(f"/jobs/conversion/{conversion.pk}/")
    conversion.fail(conversion.fence, "toolkit:crashed", "signal 11")
    signed_in.page.wait_for_selector("text=The toolkit died", timeout=8000)
    before = _pieces(signed_in)
    time.sleep(2.6)
    assert _pieces(signed_in) == before


def test_the_theme_is_remembered(signed_in: Window, world: World) -> None:
    signed_in.open("/")
    signed_in.page.click("#theme")
    signed_in.open("/boards/")
    assert signed_in.page.evaluate("document.documentElement.dataset.bsTheme") == "dark"


@pytest.mark.parametrize(
    "page",
    [
        "/",
        "/projects/vision/",
        "/projects/vision/input-sets/",
        "/versions/{version}/evaluations/new/",
        "/legs/{leg}/data-types/",
        "/evaluations/{evaluation}/",
        "/jobs/",
        "/boards/{board}/",
    ],
)
def test_nothing_sticks_out_on_a_phone(signed_in: Window, world: World, page: str) -> None:
    signed_in.page.set_viewport_size({"width": 390, "height": 800})
    signed_in.open(_of(world, page))
    wide = signed_in.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390


def test_a_click_on_a_layer_leads_to_its_row(signed_in: Window, world: World) -> None:
    leg = world.evaluation.legs.all()[0]
    signed_in.open(f"/evaluations/{world.evaluation.pk}/")
    signed_in.page.click(f"a[href='#leg-{leg.pk}-layer-2']")
    assert signed_in.page.url.endswith(f"#leg-{leg.pk}-layer-2")


def _visited(world: World) -> None:
    """The board told of itself twice, and has another kernel since."""
    told = {"kernel": "4.19", "temperature_mc": 45_000, "load": 0.5, "clocks": {"npu_hz": 934_000_000}}
    make_visit(world.board, told, {**told, "temperature_mc": 61_000})
    make_visit(world.board, told, {**told, "kernel": "5.10"})


def test_a_board_draws_what_it_told(signed_in: Window, world: World) -> None:
    _visited(world)
    signed_in.open(f"/boards/{world.board.pk}/")
    for chart in ("temperature", "clocks", "load", "medians"):
        signed_in.page.wait_for_selector(f"#{chart}[data-drawn=yes]")


@pytest.mark.parametrize("page", ["/boards/{board}/", "/boards/{board}/changes/", "/boards/", "/sites/"])
def test_a_board_with_a_history_fits_a_phone(signed_in: Window, world: World, page: str) -> None:
    _visited(world)
    signed_in.page.set_viewport_size({"width": 390, "height": 800})
    signed_in.open(_of(world, page))
    assert signed_in.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_boards_log_arrives_while_it_runs_and_the_page_rests_afterwards(
    signed_in: Window, world: World
) -> None:
    run = make_queued_run(world.evaluation.legs.all()[0].run.artifact, world.board)
    assert claim_with_board(run, "worker@test")
    signed_in.open(f"/boards/{world.board.pk}/")
    run.add_to_log(run.fence, "iteration 7 of 20\n")
    signed_in.page.wait_for_selector("text=iteration 7 of 20", timeout=8000)
    run.succeed(run.fence)
    signed_in.page.wait_for_selector(".board-ready", timeout=8000)
    before = _pieces(signed_in)
    time.sleep(2.6)
    assert _pieces(signed_in) == before
