"""The recipe's form in a real browser: of the settings only those are shown, and sent, that fit what is chosen."""

import pytest

from dashboard.evaluations.models import Evaluation
from tests.browser.conftest import Window
from tests.factories import make_converter, make_version, offer_of
from tests.pages.conftest import World

pytestmark = [pytest.mark.browser]
LATER = ("method", "batch", "calibration_batch", "precompile", "propose", "histograms", "hybrid", "extra")


def _shown(window: Window) -> set[str]:
    return {name for name in LATER if window.page.locator(f"#id_{name}").is_visible()}


@pytest.fixture
def form(signed_in: Window, world: World) -> Window:
    """The form of a new evaluation with More settings opened, where somebody converts by two toolkits."""
    make_converter(offer_of(), offer_of("rknn2"))
    signed_in.open(f"/versions/{world.evaluation.version_id}/evaluations/new/")
    signed_in.page.locator("summary", has_text="More settings").click()
    return signed_in


def test_the_reference_toolkit_shows_what_it_takes(form: Window) -> None:
    assert _shown(form) == {"hybrid"}


def test_another_toolkit_shows_more(form: Window) -> None:
    form.page.select_option("#id_toolkit", "rknn2")
    form.page.select_option("#id_platform", "rv1126b")
    assert _shown(form) == {"method", "batch", "propose", "hybrid", "extra"}


def test_the_toolkit_of_the_rv1126_has_no_method(form: Window) -> None:
    make_converter(offer_of(), offer_of("rknn1"))
    form.page.reload()
    form.page.locator("summary", has_text="More settings").click()
    form.page.select_option("#id_toolkit", "rknn1")
    assert _shown(form) == set(LATER) - {"method"}


def test_another_data_type_hides_what_it_cannot_have(form: Window) -> None:
    form.page.select_option("#id_toolkit", "rknn2")
    form.page.select_option("#id_platform", "rv1126b")
    form.page.select_option("#id_dtype", "float")
    assert _shown(form) == {"batch", "extra"}


def test_a_ready_file_has_nothing_to_be_set_or_calibrated(form: Window, world: World) -> None:
    make_converter(offer_of(), offer_of("ready", "1"))
    both = make_version(world.evaluation.version.model, ("net", "built"), formats={"built": "rknn"})
    form.open(f"/versions/{both.pk}/evaluations/new/")
    form.page.select_option("#id_toolkit", "ready")
    form.page.locator("summary", has_text="More settings").click()
    assert (_shown(form), form.page.locator("#id_calibration").is_visible()) == (set(), False)
    assert form.page.eval_on_selector_all("#id_dtype option:enabled", "all => all.map(one => one.value)") == [
        "as-built"
    ]


def test_toolkits_that_take_none_of_the_files_are_not_offered(form: Window) -> None:
    make_converter(offer_of(), offer_of("ready", "1"))
    form.page.reload()
    offered = form.page.eval_on_selector_all("#id_toolkit option", "all => all.map(one => one.value)")
    assert "ready" not in offered


def test_what_is_hidden_is_not_sent(form: Window) -> None:
    form.page.select_option("#id_toolkit", "rknn2")
    form.page.fill("#id_extra", "model_pruning = true")
    form.page.select_option("#id_toolkit", "reference")
    with form.page.expect_navigation():
        form.page.locator("button", has_text="Evaluate every route").click()
    assert "extra" not in Evaluation.objects.order_by("-pk")[0].recipe.settings
