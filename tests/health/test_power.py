"""When a board's power is switched: after a hang, within the limit, or by an admin; and what follows."""

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from dashboard.boards import keys
from dashboard.boards.models import Board, BoardState, Run
from dashboard.boards.services import drain, note_failure, set_state
from dashboard.health import power, services
from dashboard.health.models import Cause, GoldenModel, HealthCheck, IncidentKind, PowerCycle, SwitchKind
from dashboard.health.switches import BadSwitch, Configuration, configuration_of, configure, remove
from dashboard.jobs.models import State
from dashboard.pipeline import advance, cancel_job
from dashboard.projects.models import AuditEvent, Project
from dashboard.registration.services import pin_anew, request_probe
from tests.claims import claim_with_board
from tests.factories import artifact_for, make_member, make_queued_run, owner_of
from tests.health.conftest import run_on

pytestmark = pytest.mark.django_db
PLUG = Configuration(
    kind=SwitchKind.HTTP, off=("http://10.1.2.3/cycle?token=secret",), headers=(("X-Key", "hush"),)
)


@pytest.fixture
def switch(board: Board, project: Project) -> Any:
    return configure(board, PLUG, True, owner_of(project))


def hangs_on(board: Board, code: str = "board:npu-hung") -> Run:
    """A run that met a hang on the board and is put back, as a worker does it."""
    board.refresh_from_db()
    run = make_queued_run(artifact_for(board), board)
    board.projects.add(run.project)
    assert claim_with_board(run, "worker@test")
    note_failure(run, Board.objects.get(pk=board.pk), code, "no answer for 5 s")
    assert run.put_back(run.fence, code)
    board.refresh_from_db()
    return run


def done(cycle: PowerCycle, boot_id: str = "second") -> PowerCycle:
    """The power cycle after the board came back."""
    assert cycle.claim("worker@test")
    assert cycle.succeed(cycle.fence)
    power.back(cycle, boot_id, "its power was switched off and on")
    advance(cycle)
    return cycle


@pytest.mark.parametrize("code", ["board:npu-hung", "board:timed-out"])
def test_a_hang_switches_the_power(board: Board, switch: Any, code: str):
    hangs_on(board, code)
    assert PowerCycle.objects.get().code == code


def test_nobody_gets_the_board_while_its_power_is_switched(board: Board, switch: Any):
    run = hangs_on(board)
    assert (board.state, claim_with_board(run, "another")) == (BoardState.OFFLINE, False)


def test_the_run_that_met_the_hang_waits_in_the_queue(board: Board, switch: Any):
    assert hangs_on(board).state == State.QUEUED


def test_without_a_switch_nothing_is_switched(board: Board):
    hangs_on(board)
    assert not PowerCycle.objects.exists()


def test_a_switch_for_hands_only_is_left_alone(board: Board, project: Project):
    configure(board, PLUG, False, owner_of(project))
    hangs_on(board)
    assert not PowerCycle.objects.exists()


@pytest.mark.parametrize("code", ["board:link-lost", "board:npu-failed", "board:unreachable"])
def test_other_failures_switch_nothing(board: Board, switch: Any, code: str):
    hangs_on(board, code)
    assert not PowerCycle.objects.exists()


def test_a_board_that_hangs_too_often_in_an_hour_is_quarantined(
    board: Board, switch: Any, settings: Settings
):
    settings.POWER_CYCLES_PER_HOUR = 2
    for _ in range(3):
        hangs_on(board)
        for cycle in PowerCycle.objects.filter(state=State.QUEUED):
            done(cycle)
        Board.objects.filter(pk=board.pk).update(failures_in_a_row=0)
    board.refresh_from_db()
    assert (PowerCycle.objects.count(), board.state) == (2, BoardState.UNHEALTHY)
    assert board.reason == "board:npu-hung: it hung again after 2 restarts in an hour"


def test_what_an_admin_switches_does_not_count_for_the_limit(board: Board, switch: Any, settings: Settings):
    settings.POWER_CYCLES_PER_HOUR = 1
    done(power.request_by_hand(board, owner_of(board.projects.get())))
    hangs_on(board)
    assert PowerCycle.objects.filter(automatic=True).count() == 1


def test_a_limit_of_none_switches_nothing_by_itself(board: Board, switch: Any, settings: Settings):
    settings.POWER_CYCLES_PER_HOUR = 0
    hangs_on(board)
    assert not PowerCycle.objects.exists()


def test_a_board_that_came_back_is_on_probation(board: Board, switch: Any):
    hangs_on(board)
    done(PowerCycle.objects.get())
    board.refresh_from_db()
    assert (board.state, board.failures_in_a_row) == (BoardState.READY, 1)


def test_with_a_golden_model_it_is_checked_before_anybody_gets_it(
    board: Board, golden: GoldenModel, switch: Any
):
    hangs_on(board)
    done(PowerCycle.objects.get())
    services.turn()
    board.refresh_from_db()
    assert (board.state, HealthCheck.objects.get().cause) == (BoardState.UNHEALTHY, Cause.POWER)


def test_a_restart_of_ours_is_no_reboot_incident(board: Board, switch: Any):
    run_on(board)
    hangs_on(board)
    done(PowerCycle.objects.get(), "second")
    run_on(board, fingerprint={"boot_id": "second"})
    assert not board.incidents.filter(kind=IncidentKind.REBOOT).exists()


def test_a_switch_that_does_not_work_quarantines_the_board_with_the_reason(board: Board, switch: Any):
    hangs_on(board)
    cycle = PowerCycle.objects.get()
    assert cycle.claim("worker@test")
    assert cycle.fail(cycle.fence, "board:switch-failed", "10.1.2.3 answered with status 401.")
    advance(cycle)
    board.refresh_from_db()
    assert (board.state, board.reason) == (
        BoardState.UNHEALTHY,
        "board:switch-failed: 10.1.2.3 answered with status 401.",
    )


@pytest.mark.parametrize("reason", ["", "board:host-key-changed: it shows another"])
def test_a_restart_that_is_cancelled_before_it_began_leaves_the_board_as_it_was(
    board: Board, switch: Any, reason: str
):
    before = BoardState.UNHEALTHY if reason else BoardState.READY
    set_state(board, before, reason)
    cancel_job(power.request_by_hand(board, owner_of(board.projects.get())), None)
    board.refresh_from_db()
    assert (board.state, board.reason) == (before, reason)


def test_a_restart_that_is_cancelled_midway_leaves_the_board_to_an_admin(board: Board, switch: Any):
    hangs_on(board)
    cycle = PowerCycle.objects.get()
    assert cycle.claim("worker@test")
    cancel_job(cycle, None)
    assert cycle.end_cancelled(cycle.fence)
    advance(cycle)
    board.refresh_from_db()
    assert (board.state, "cancelled midway" in board.reason) == (BoardState.OFFLINE, True)


def test_a_restart_is_an_incident_that_ends_with_it(board: Board, switch: Any):
    hangs_on(board)
    cycle = done(PowerCycle.objects.get())
    assert board.incidents.get(kind=IncidentKind.POWER).ended_by == str(cycle)


def test_an_admin_switches_a_board_that_is_well(board: Board, switch: Any):
    power.request_by_hand(board, owner_of(board.projects.get()))
    board.refresh_from_db()
    assert board.state == BoardState.OFFLINE


def test_a_board_that_is_held_is_switched_when_its_run_has_ended(board: Board, switch: Any):
    run = make_queued_run(artifact_for(board), board)
    board.projects.add(run.project)
    assert claim_with_board(run, "worker@test")
    power.request_by_hand(board, owner_of(switch.board.projects.first()))
    before = PowerCycle.objects.to_ring().count()
    run.succeed(run.fence)
    assert (before, PowerCycle.objects.to_ring().count()) == (0, 1)


def test_two_restarts_at_once_are_one(board: Board, switch: Any):
    admin = owner_of(board.projects.get())
    power.request_by_hand(board, admin)
    with pytest.raises(power.CannotSwitch):
        power.request_by_hand(board, admin)


def test_without_a_switch_an_admin_is_told_so(board: Board):
    with pytest.raises(power.CannotSwitch):
        power.request_by_hand(board, owner_of(board.projects.get()))


def test_who_administers_no_project_of_the_board_switches_nothing(board: Board, switch: Any):
    with pytest.raises(power.CannotSwitch):
        power.request_by_hand(board, make_member(board.projects.get()))


def test_a_board_that_an_admin_paused_meanwhile_stays_paused(board: Board, switch: Any):
    hangs_on(board)
    set_state(board, BoardState.PAUSED, "on the bench")
    done(PowerCycle.objects.get())
    board.refresh_from_db()
    assert (board.state, board.reason) == (BoardState.PAUSED, "on the bench")


def test_the_configuration_is_encrypted(switch: Any):
    assert not any(word in switch.configuration for word in ("10.1.2.3", "secret", "hush"))


def test_the_configuration_comes_back_as_it_was(switch: Any):
    assert configuration_of(switch) == PLUG


def test_another_secret_of_the_site_makes_it_useless(switch: Any, settings: Settings):
    settings.SECRET_KEY = "another"
    with pytest.raises(BadSwitch):
        configuration_of(switch)


def test_what_is_shown_leaves_out_what_may_be_secret(switch: Any):
    assert configuration_of(switch).shown_off == "http://10.1.2.3/…"


def test_setting_up_and_removing_is_written_into_the_audit_trail(board: Board, switch: Any):
    remove(board, owner_of(board.projects.get()))
    actions = AuditEvent.objects.filter(action__startswith="power.").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == ["power.configured", "power.removed"]


BAD = {
    "no kind": Configuration(kind="laser", off=("x",)),
    "nothing to do": Configuration(kind="http"),
    "no reboot either": Configuration(kind="reboot", reboot=()),
    "a long pause": Configuration(kind="http", off=("http://plug/",), pause_s=9999),
    "a path": Configuration(kind="command", off=("/bin/sh",)),
    "a way out": Configuration(kind="command", off=("../sh",)),
    "an option": Configuration(kind="command", off=("-rf",)),
    "a line break": Configuration(kind="command", off=("plug", "off\nrm")),
    "a NUL": Configuration(kind="command", off=("plug", "off\0")),
    "a file": Configuration(kind="http", off=("file:///etc/passwd",)),
    "gopher": Configuration(kind="http", off=("gopher://plug/",)),
    "no host": Configuration(kind="http", off=("http:///x",)),
    "a password in it": Configuration(kind="http", off=("http://a:b@plug/",)),
    "a port too large": Configuration(kind="http", off=("http://plug:99999/",)),
    "a backslash": Configuration(kind="http", off=("http://plug\\@evil/",)),
    "a line break in it": Configuration(kind="http", off=("http://plug/\r\nX: y",)),
    "a fragment": Configuration(kind="http", off=("http://plug/#x",)),
    "two addresses": Configuration(kind="http", off=("http://plug/", "http://other/")),
    "another method": Configuration(kind="http", off=("http://plug/",), method="DELETE"),
    "another host": Configuration(kind="http", off=("http://plug/",), headers=(("Host", "x"),)),
    "a header in a header": Configuration(kind="http", off=("http://plug/",), headers=(("X", "a\r\nY: b"),)),
    "a header's name": Configuration(kind="http", off=("http://plug/",), headers=(("X y", "a"),)),
    "too many headers": Configuration(
        kind="http", off=("http://plug/",), headers=tuple((f"X{n}", "a") for n in range(21))
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_configuration_that_makes_no_sense_is_refused(board: Board, project: Project, name: str):
    with pytest.raises(BadSwitch):
        configure(board, BAD[name], True, owner_of(project))


@pytest.mark.parametrize("state", [BoardState.PAUSED, BoardState.DRAINING])
def test_a_board_that_was_out_of_service_before_its_restart_stays_so(
    board: Board, switch: Any, state: BoardState
):
    set_state(board, state, "on the bench")
    power.request_by_hand(board, owner_of(board.projects.get()))
    done(PowerCycle.objects.get())
    board.refresh_from_db()
    assert (board.state, board.reason) == (state, "on the bench")


def test_a_restart_waits_for_the_probe_that_has_the_board(board: Board, switch: Any):
    admin = owner_of(board.projects.get())
    probe = request_probe(board, board.projects.get(), admin)
    cycle = power.request_by_hand(board, admin)
    before = (PowerCycle.objects.to_ring().count(), cycle.claim("worker@test"))
    probe.cancel()
    assert (before, cycle.claim("worker@test")) == ((0, False), True)


def test_a_probe_waits_for_the_restart_that_has_begun(board: Board, switch: Any):
    admin = owner_of(board.projects.get())
    cycle = power.request_by_hand(board, admin)
    assert cycle.claim("worker@test")
    probe = request_probe(board, board.projects.get(), admin)
    before = probe.claim("worker@test")
    assert cycle.succeed(cycle.fence)
    assert (before, probe.claim("worker@test")) == (False, True)


def test_draining_a_quarantined_board_ends_the_incident_of_its_quarantine(board: Board):
    set_state(board, BoardState.UNHEALTHY, "board:npu-failed: x")
    drain(board, "to the bench", owner_of(board.projects.get()))
    assert not board.incidents.filter(kind=IncidentKind.QUARANTINE, ended_at=None).exists()


def test_pinning_anew_ends_the_incident_of_the_quarantine(board: Board):
    set_state(board, BoardState.UNHEALTHY, "board:host-key-changed: x")
    shown = keys.public_key(keys.new_private_key())
    probe = request_probe(board, board.projects.get(), None)
    type(probe).objects.filter(pk=probe.pk).update(host_key=shown)
    pin_anew(board, keys.fingerprint(shown), "new image", owner_of(board.projects.get()))
    assert not board.incidents.filter(kind=IncidentKind.QUARANTINE, ended_at=None).exists()
