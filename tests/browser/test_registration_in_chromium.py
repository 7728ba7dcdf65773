"""From an empty site to a passing probe in a real Chromium: a board of software by SSH, the step in a thread."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from dashboard.boards.models import Board, BoardState
from dashboard.registration.models import Probe, Registration
from tests.browser.conftest import Window, sign_in
from tests.factories import make_project, make_user
from tests.link.board import RunningBoard, running_board
from workers.tasks import probe_task

pytestmark = [pytest.mark.browser, pytest.mark.integration]
SHOTS = os.environ.get("LAYERWISE_SCREENSHOTS")  # a folder: keep what was seen, to be looked at


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[RunningBoard]:
    with running_board(tmp_path / "board") as found:
        yield found


@pytest.fixture
def worker(window: Window) -> Iterator[None]:
    """Does every probe that is asked for, as a worker of the site would when it is rung for."""
    stop = threading.Event()

    def serve() -> None:
        while not stop.wait(0.05):
            for probe in Probe.objects.to_ring():
                probe_task(probe.pk)
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    stop.set()
    thread.join(60)


def shoot(window: Window, name: str) -> None:
    if SHOTS:
        for width, suffix in ((1400, "desktop"), (390, "phone")):
            window.page.set_viewport_size({"width": width, "height": 900})
            window.page.screenshot(path=f"{SHOTS}/{name}-{suffix}.png", full_page=True)
        window.page.set_viewport_size({"width": 1400, "height": 900})


def fits_a_phone(window: Window) -> bool:
    window.page.set_viewport_size({"width": 390, "height": 800})
    wide = window.page.evaluate("document.documentElement.scrollWidth")
    window.page.set_viewport_size({"width": 1400, "height": 900})
    return int(wide) <= 390


def test_a_board_is_registered_from_an_empty_site_to_a_passing_probe(
    window: Window, machine: RunningBoard, worker: None
) -> None:
    admin = make_user("ada")
    make_project(admin, "Vision")
    sign_in(window, admin)
    page, narrow = window.page, {}

    window.open("/boards/")
    page.click("text=Register the first one")
    page.fill("[name=name]", "desk")
    page.fill("[name=address]", "127.0.0.1")
    page.fill("[name=port]", str(machine.port))
    page.fill("[name=username]", str(machine.ready["user"]))
    page.fill("[name=work_folder]", machine.workdir)
    page.fill("[name=labels]", "camera 512mb")
    page.select_option("[name=npu]", "sim")
    shoot(window, "1-form")
    narrow["form"] = fits_a_phone(window)
    page.click("text=Begin: look at its host key")

    page.wait_for_selector(f"text={machine.ready['fingerprint']}", timeout=20_000)
    shoot(window, "2-host-key")
    narrow["host key"] = fits_a_phone(window)
    public = Registration.objects.get().public_key
    assert public in page.locator("#openssh-line").inner_text()
    (machine.folder / "authorized_keys").write_text(page.locator("#openssh-line").inner_text() + "\n")
    page.fill("[name=fingerprint]", f"256 {machine.ready['fingerprint']} root@board (ED25519)")
    page.click("text=They agree: pin this key")

    page.wait_for_selector("text=In service:", timeout=30_000)
    shoot(window, "3-probed")
    narrow["probed"] = fits_a_phone(window)
    board = Board.objects.get()
    window.open(f"/boards/{board.pk}/access/")
    shoot(window, "4-access")
    narrow["access"] = fits_a_phone(window)
    assert (board.state, page.locator(".step").count(), narrow) == (
        BoardState.READY,
        0,
        dict.fromkeys(narrow, True),
    )


def test_steps_appear_while_the_probe_goes_on(window: Window, machine: RunningBoard) -> None:
    admin = make_user("ada")
    project = make_project(admin, "Vision")
    sign_in(window, admin)
    registration = _begun(project, machine, admin)
    window.open(registration.get_absolute_url())
    waiting = window.page.locator(".step-waiting").count()
    probe_task(registration.probes.get().pk)
    window.page.wait_for_selector(".step-ok >> nth=1", timeout=20_000)
    assert waiting == 2


def test_a_probe_that_fails_says_what_to_do_next(window: Window, machine: RunningBoard) -> None:
    admin = make_user("ada")
    sign_in(window, admin)
    registration = _begun(make_project(admin, "Vision"), machine, admin)
    probe_task(registration.probes.get().pk)
    registration.refresh_from_db()
    from dashboard.registration.services import confirm

    board = confirm(registration, registration.host_key_fingerprint, admin)  # nobody let the key in
    probe_task(board.probes.get().pk)
    window.open(registration.get_absolute_url())
    shoot(window, "5-failed")
    assert "offers the authorized_keys line to copy" in window.page.locator(".step-failed").inner_text()


def test_a_text_is_copied_or_selected_by_its_button(window: Window, machine: RunningBoard) -> None:
    admin = make_user("ada")
    sign_in(window, admin)
    registration = _begun(make_project(admin, "Vision"), machine, admin)
    window.open(registration.get_absolute_url())
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    window.page.click("[data-copy=openssh-line]")
    window.page.wait_for_selector("text=Copied")
    copied = window.page.evaluate("navigator.clipboard.readText()")
    assert copied == window.page.locator("#openssh-line").inner_text()


def _begun(project, machine: RunningBoard, admin) -> Registration:  # type: ignore[no-untyped-def]
    from dashboard.registration.drafts import Draft
    from dashboard.registration.services import begin

    draft = Draft(
        "desk", "127.0.0.1", machine.port, str(machine.ready["user"]), npu="sim", work_folder=machine.workdir
    )
    return begin(project, [project], draft, admin)
