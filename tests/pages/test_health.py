"""What the pages of boards' health show, to whom, and what their buttons do."""

import pytest

from dashboard.boards.models import BoardState
from dashboard.health import incidents
from dashboard.health.checks import request_check
from dashboard.health.golden import name_golden_model
from dashboard.health.models import (
    Cause,
    GoldenModel,
    HealthCheck,
    IncidentKind,
    Outcome,
    PowerCycle,
    PowerSwitch,
    TwinCheck,
)
from dashboard.health.power import request_by_hand
from dashboard.health.switches import Configuration, configuration_of, configure
from dashboard.registration.services import request_probe
from tests.factories import make_board, make_project, make_run
from tests.health.rows import make_check, make_twin
from tests.pages.conftest import SignIn, World


def run_of(world: World):  # type: ignore[no-untyped-def]
    return world.evaluation.legs.all()[0].run


def page(client, address: str) -> str:  # type: ignore[no-untyped-def]
    return client.get(address).content.decode()


def test_an_admin_names_a_golden_model_on_a_runs_page(world: World, as_user: SignIn) -> None:
    client, run = as_user(world.admin), run_of(world)
    assert f"/runs/{run.pk}/golden-model/" in page(client, f"/runs/{run.pk}/")
    client.post(f"/runs/{run.pk}/golden-model/", {"runtime_version": ""})
    assert GoldenModel.objects.get().artifact == run.artifact


def test_a_developer_is_not_offered_to_name_one(world: World, as_user: SignIn) -> None:
    assert "golden-model" not in page(as_user(world.developer), f"/runs/{run_of(world).pk}/")


def test_a_check_shows_which_values_differ_and_what_changed(world: World, as_user: SignIn) -> None:
    check = make_check(run_of(world), world.board)
    shown = page(as_user(world.viewer), f"/health-checks/{check.pk}/")
    assert all(word in shown for word in ("3072", "0.25", "6.4.3.5", "6.4.6.2", "may be right"))


def test_only_an_admin_is_offered_to_accept(world: World, as_user: SignIn) -> None:
    check = make_check(run_of(world), world.board)
    offers = [
        "Accept as new" in page(as_user(u), f"/health-checks/{check.pk}/")
        for u in (world.admin, world.developer)
    ]
    assert offers == [True, False]


def test_accepting_brings_the_board_back(world: World, as_user: SignIn) -> None:
    check = make_check(run_of(world), world.board)
    as_user(world.admin).post(f"/health-checks/{check.pk}/accept/")
    world.board.refresh_from_db()
    assert world.board.state == BoardState.READY


def test_a_passed_check_offers_nothing_to_accept(world: World, as_user: SignIn) -> None:
    check = make_check(run_of(world), world.board, Outcome.PASSED)
    assert "Accept as new" not in page(as_user(world.admin), f"/health-checks/{check.pk}/")


def test_an_admin_asks_for_a_check(world: World, as_user: SignIn) -> None:
    make_check(run_of(world), world.board, Outcome.PASSED)
    as_user(world.admin).post(f"/boards/{world.board.pk}/health/check/")
    assert HealthCheck.objects.filter(cause="asked", created_by=world.admin).count() == 1


def test_a_check_that_waits_says_for_what(world: World, as_user: SignIn) -> None:
    make_check(run_of(world), world.board, Outcome.PASSED)
    as_user(world.admin).post(f"/boards/{world.board.pk}/health/check/")
    waiting = HealthCheck.objects.latest("pk")
    pages = [f"/health-checks/{waiting.pk}/", f"/jobs/check/{waiting.pk}/"]
    told = ["waiting for its run on the board" in page(as_user(world.viewer), one) for one in pages]
    assert told == [True, True]


def test_without_a_golden_model_an_admin_is_told_so(world: World, as_user: SignIn) -> None:
    answer = as_user(world.admin).post(f"/boards/{world.board.pk}/health/check/", follow=True)
    assert "No golden model fits this board" in answer.content.decode()


def test_the_boards_page_tells_health_and_incidents(world: World, as_user: SignIn) -> None:
    make_check(run_of(world), world.board)
    shown = page(as_user(world.viewer), f"/boards/{world.board.pk}/")
    assert all(word in shown for word in ("Last check", "new stack", "It was quarantined"))


def test_details_of_another_projects_run_are_not_shown(world: World, as_user: SignIn) -> None:
    other = make_project()
    foreign = make_run(board=world.board)
    world.board.projects.add(other)
    incidents.note(
        world.board, IncidentKind.FAILURE, code="board:npu-failed", detail="secret net", run=foreign
    )
    shown = page(as_user(world.viewer), f"/boards/{world.board.pk}/incidents/")
    assert ("The NPU library reported an error" in shown, "secret net" in shown) == (True, False)


def test_checks_of_another_projects_model_are_not_listed(world: World, as_user: SignIn) -> None:
    foreign = make_run(board=world.board)
    world.board.projects.add(foreign.project)
    check = make_check(foreign, world.board)
    shown = page(as_user(world.viewer), f"/boards/{world.board.pk}/health/")
    assert f"/health-checks/{check.pk}/" not in shown


def test_an_admin_closes_an_incident(world: World, as_user: SignIn) -> None:
    incident = incidents.note(world.board, IncidentKind.HANG, detail="1 of 20")
    as_user(world.admin).post(f"/incidents/{incident.pk}/close/")
    incident.refresh_from_db()
    assert incident.ended_by == "ada"


PLUG = {
    "kind": "http",
    "off": "http://10.0.0.7/relay?turn=off&key=sesame",
    "pause_s": "5",
    "method": "POST",
    "headers": "X-Key: hush\nX-Other: y",
    "reboot": "sudo -n reboot",
    "automatic": "on",
}


def test_an_admin_sets_up_a_power_switch(world: World, as_user: SignIn) -> None:
    as_user(world.admin).post(f"/boards/{world.board.pk}/power/", PLUG)
    told = configuration_of(PowerSwitch.objects.get())
    assert (told.headers, told.reboot) == ((("X-Key", "hush"), ("X-Other", "y")), ("sudo", "-n", "reboot"))


def test_what_is_secret_of_a_switch_is_not_shown_again(world: World, as_user: SignIn) -> None:
    client = as_user(world.admin)
    client.post(f"/boards/{world.board.pk}/power/", PLUG)
    shown = page(client, f"/boards/{world.board.pk}/power/")
    assert ("10.0.0.7" in shown, "sesame" in shown, "hush" in shown) == (True, False, False)


def test_what_is_left_empty_of_a_switch_stays_as_it_is(world: World, as_user: SignIn) -> None:
    client = as_user(world.admin)
    client.post(f"/boards/{world.board.pk}/power/", PLUG)
    client.post(f"/boards/{world.board.pk}/power/", {**PLUG, "off": "", "headers": "", "pause_s": "9"})
    told = configuration_of(PowerSwitch.objects.get())
    assert (told.off, told.pause_s, len(told.headers)) == ((PLUG["off"],), 9, 2)


@pytest.mark.parametrize(
    "bad",
    [
        {"off": "file:///etc/passwd"},
        {"headers": "no colon"},
        {"reboot": "'open"},
        {"kind": "command", "off": "/bin/sh -c x"},
        {"kind": "laser"},
    ],
)
def test_a_bad_switch_is_refused_with_a_message(world: World, as_user: SignIn, bad: dict[str, str]) -> None:
    answer = as_user(world.admin).post(f"/boards/{world.board.pk}/power/", {**PLUG, **bad})
    assert (answer.status_code, PowerSwitch.objects.exists()) == (422, False)


def test_an_admin_restarts_a_board(world: World, as_user: SignIn) -> None:
    configure(world.board, Configuration(kind="reboot"), True, world.admin)
    as_user(world.admin).post(f"/boards/{world.board.pk}/power/cycle/")
    assert PowerCycle.objects.get().created_by == world.admin


def test_a_developer_asks_for_a_twin_check(world: World, as_user: SignIn) -> None:
    make_board(world.project)
    body = {"artifact": run_of(world).artifact_id, "iterations": "5"}
    as_user(world.developer).post("/projects/vision/twin-checks/new/", body)
    assert TwinCheck.objects.get().first_run.iterations == 5


def test_a_twin_check_of_a_foreign_artifact_is_refused(world: World, as_user: SignIn) -> None:
    body = {"artifact": make_run().artifact_id, "iterations": "5"}
    answer = as_user(world.developer).post("/projects/vision/twin-checks/new/", body)
    assert (answer.status_code, TwinCheck.objects.exists()) == (422, False)


def test_a_twin_checks_page_says_where_the_boards_part(world: World, as_user: SignIn) -> None:
    twin = make_twin(run_of(world), world.board, make_board(world.project))
    shown = page(as_user(world.viewer), f"/twin-checks/{twin.pk}/")
    assert all(word in shown for word in ("differs", "They part at the layer conv_2", "12", "3072"))


def test_only_a_boards_admins_cancel_its_restart(world: World, as_user: SignIn) -> None:
    configure(world.board, Configuration("http", ("http://10.1.2.3/cycle",)), True, world.admin)
    cycle = request_by_hand(world.board, world.admin)
    address = f"/jobs/power/{cycle.pk}/cancel/"
    offered = address in page(as_user(world.developer), f"/jobs/power/{cycle.pk}/")
    answers = [as_user(user).post(address).status_code for user in (world.developer, world.admin)]
    assert (offered, answers) == (False, [403, 302])


def test_a_developer_cancels_no_probe(world: World, as_user: SignIn) -> None:
    probe = request_probe(world.board, world.project, world.admin)
    assert as_user(world.developer).post(f"/jobs/probe/{probe.pk}/cancel/").status_code == 403


def test_a_developer_cancels_no_check_and_not_its_run(world: World, as_user: SignIn) -> None:
    name_golden_model(run_of(world), world.admin)
    check = request_check(world.board, Cause.SCHEDULE)
    assert check is not None
    jobs = (f"check/{check.pk}", f"run/{check.run_id}")
    answers = [as_user(world.developer).post(f"/jobs/{job}/cancel/").status_code for job in jobs]
    assert answers == [403, 403]
