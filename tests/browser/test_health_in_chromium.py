"""The pages of boards' health in a browser: the chart of times, and that nothing sticks out on a phone."""

import pytest

from dashboard.health import incidents
from dashboard.health.models import IncidentKind, Outcome
from dashboard.health.switches import Configuration, configure
from tests.browser.conftest import Window, sign_in
from tests.factories import make_board
from tests.health.rows import make_check, make_twin
from tests.pages.conftest import World

pytestmark = [pytest.mark.browser]
BAND = {"outputs": {}, "band": {"middle": 1000.0, "highest": 1010.0, "of": 6}}


@pytest.fixture
def addresses(world: World) -> dict[str, str]:
    """Every page of this room with something on it."""
    run, board = world.evaluation.legs.all()[0].run, world.board
    for number in range(6):
        make_check(run, board, Outcome.PASSED, median_us=1000.0 + 3 * number, evidence=BAND)
    check = make_check(run, board, median_us=1100.0)
    incidents.note(board, IncidentKind.FAILURE, code="board:npu-failed", detail="RKNN_ERR -6 " * 20, run=run)
    incidents.note(board, IncidentKind.REBOOT, detail="boot_id a became b between two runs", ended_by="told")
    twin = make_twin(run, board, make_board(world.project, name="bench"))
    plug = Configuration(kind="http", off=("http://10.0.0.7/relay/0?turn=off",), headers=(("X-Key", "hush"),))
    configure(board, plug, True, world.admin)
    return {
        "golden-models": f"/projects/{world.project.slug}/golden-models/",
        "golden-model": f"/golden-models/{check.golden_id}/",
        "golden-new": f"/runs/{run.pk}/golden-model/",
        "check": f"/health-checks/{check.pk}/",
        "board-health": f"/boards/{board.pk}/health/",
        "board": f"/boards/{board.pk}/",
        "incidents": f"/boards/{board.pk}/incidents/",
        "power": f"/boards/{board.pk}/power/",
        "twins": f"/projects/{world.project.slug}/twin-checks/",
        "twin-new": f"/projects/{world.project.slug}/twin-checks/new/",
        "twin": f"/twin-checks/{twin.pk}/",
    }


def test_the_times_of_checks_are_drawn(window: Window, world: World, addresses: dict[str, str]) -> None:
    sign_in(window, world.admin)
    window.open(addresses["board-health"])
    window.page.wait_for_selector(".chart[data-drawn=yes]")
    assert window.page.locator(".chart .scatterlayer .trace").count() == 3


def test_no_page_of_health_sticks_out_on_a_phone(
    window: Window, world: World, addresses: dict[str, str]
) -> None:
    sign_in(window, world.admin)
    window.page.set_viewport_size({"width": 390, "height": 800})
    wide = {}
    for name, address in addresses.items():
        window.open(address)
        wide[name] = window.page.evaluate("document.documentElement.scrollWidth")
    assert {name: width for name, width in wide.items() if width > 390} == {}


def test_an_admin_accepts_new_outputs_with_a_click(
    window: Window, world: World, addresses: dict[str, str]
) -> None:
    sign_in(window, world.admin)
    window.open(addresses["check"])
    window.page.click("text=Accept as new golden outputs")
    window.page.wait_for_selector("text=An admin has accepted these outputs")
    world.board.refresh_from_db()
    assert world.board.state == "ready"
