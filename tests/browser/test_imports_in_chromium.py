"""Imports in a browser: an upload by the form, charts that are drawn, and nothing that sticks out on a phone."""

from pathlib import Path

import pytest

from dashboard.imports.models import Import
from tests.browser.conftest import Window, sign_in
from tests.imports.rows import make_import
from tests.pages.conftest import World

pytestmark = [pytest.mark.browser]


def test_an_upload_leads_to_the_page_of_its_import(window: Window, world: World, tmp_path: Path) -> None:
    (tmp_path / "error_analysis.txt").write_text("anything")
    sign_in(window, world.developer)
    window.open(f"/projects/{world.project.slug}/")
    window.page.click("text=Imports")
    window.page.click("text=New import")
    window.page.set_input_files("input[type=file]", tmp_path / "error_analysis.txt")
    window.page.click("button:has-text('Upload')")
    window.page.wait_for_url("**/imports/*/")
    assert Import.objects.latest("pk").filename == "error_analysis.txt"


def test_the_vendors_scores_and_times_are_drawn(window: Window, world: World) -> None:
    sign_in(window, world.viewer)
    window.open(f"/imports/{world.imported.pk}/")
    window.page.wait_for_selector("#scores[data-drawn=yes]")
    window.page.wait_for_selector("#times1[data-drawn=yes]")
    shown = window.page.locator("#scores .legendtext").all_text_contents()
    assert shown == ["vendor, entire (imported)", "vendor, single (imported)"]


def test_the_metric_of_the_chart_is_switched(window: Window, world: World) -> None:
    sign_in(window, world.viewer)
    window.open(f"/imports/{world.imported.pk}/")
    window.page.wait_for_selector("#scores[data-drawn=yes]")
    window.page.click("[data-choices-of=scores] button:has-text('Euclidean')")
    window.page.wait_for_selector("#scores .ytitle:has-text('Euclidean')")


def test_no_page_of_imports_sticks_out_on_a_phone(window: Window, world: World) -> None:
    long = make_import(world.project, "a" * 100, layers=["/model.0/" + "x" * 200, "y" * 250])
    sign_in(window, world.developer)
    window.page.set_viewport_size({"width": 390, "height": 800})
    wide = {}
    slug = world.project.slug
    for address in (
        f"/projects/{slug}/imports/", f"/projects/{slug}/imports/new/", f"/projects/{slug}/dumps/compare/",
        f"/imports/{long.pk}/", f"/projects/{slug}/",
    ):  # fmt: skip
        window.open(address)
        wide[address] = window.page.evaluate("document.documentElement.scrollWidth")
    assert {name: width for name, width in wide.items() if width > 390} == {}
