"""Histograms in a real browser: the strict policy lets them through, and they come when they are looked at."""

import pytest

from tests.browser.conftest import Window
from tests.factories import make_histogram
from tests.pages.conftest import World

pytestmark = [pytest.mark.browser]


@pytest.fixture
def histograms(signed_in: Window, world: World) -> Window:
    """The page of an artifact with so many layers that all begin closed."""
    artifact = world.histogram.artifact
    for number in range(5):
        make_histogram(artifact, f"layer_{number}")
    signed_in.open(f"/artifacts/{artifact.pk}/histograms/")
    signed_in.page.wait_for_load_state("networkidle")
    return signed_in


def _pictures(window: Window) -> list[str]:
    return [request.url for request in window.requests if request.url.endswith(".png")]


def test_a_closed_layer_loads_nothing(histograms: Window) -> None:
    assert _pictures(histograms) == []


def test_an_opened_layer_shows_its_own_pictures(histograms: Window) -> None:
    with histograms.page.expect_response("**.png") as answer:
        histograms.page.locator("summary", has_text="layer_3").click()
    answer.value.finished()
    decoded = "one => one.decode().then(() => one.naturalWidth)"
    assert histograms.page.eval_on_selector("details[open] img", decoded) == 2
    assert len(_pictures(histograms)) == 1


def test_a_picture_is_opened_by_itself(histograms: Window) -> None:
    histograms.page.locator("summary", has_text="layer_3").click()
    histograms.page.locator("details[open] img").click()
    histograms.page.wait_for_url("**.png")
    assert histograms.page.evaluate("document.images[0].naturalHeight") == 3
