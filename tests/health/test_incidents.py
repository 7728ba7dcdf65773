"""What becomes an incident, what ends it, and which of them make somebody look at the board."""

from typing import Any

import pytest
from django.utils import timezone

from dashboard.boards.keys import new_private_key, public_key
from dashboard.boards.models import Board, BoardState, Purpose, Run
from dashboard.boards.services import BoardSettings, note_failure, pause, register_board, resume, set_state
from dashboard.health import incidents, services
from dashboard.health.checks import request_check
from dashboard.health.models import BoardWatch, Cause, GoldenModel, HealthCheck, Incident, IncidentKind
from dashboard.pipeline import advance
from tests.claims import claim_with_board
from tests.factories import artifact_for, make_board, make_project, make_queued_run, owner_of
from tests.health.conftest import judged, run_on

pytestmark = pytest.mark.django_db


def fails_on(board: Board, code: str, detail: str = "x", purpose: str = Purpose.EVALUATION) -> Run:
    """A run that a worker took to the board and that failed there."""
    run = make_queued_run(artifact_for(board), board)
    board.projects.add(run.project)
    Run.objects.filter(pk=run.pk).update(purpose=purpose)
    run.refresh_from_db()
    return fails(run, board, code, detail)


def fails(run: Run, board: Board, code: str, detail: str = "x") -> Run:
    """This queued run, taken to the board, fails there."""
    assert claim_with_board(run, "worker@test")
    assert run.board is not None
    note_failure(run, Board.objects.get(pk=board.pk), code, detail)
    assert run.fail(run.fence, code, detail)
    advance(run)
    board.refresh_from_db()
    return run


def is_due(board: Board) -> bool:
    return BoardWatch.objects.filter(board=board, due_at__lte=timezone.now()).exists()


def test_a_failure_is_an_incident_with_its_run():
    board = make_board()
    run = fails_on(board, "board:npu-failed", "code -6")
    [incident] = board.incidents.all()
    assert (incident.code, incident.run, incident.detail) == ("board:npu-failed", run, "code -6")


def test_the_detail_of_a_failure_is_told_with_its_run_only():
    board = make_board()
    for _ in range(2):
        fails_on(board, "board:npu-failed", "secret_layer: code -6")
    told = [one.kind for one in board.incidents.filter(detail__contains="secret_layer")]
    assert (board.state, "secret_layer" in board.reason, told) == (
        BoardState.UNHEALTHY,
        False,
        [IncidentKind.FAILURE],
    )


def test_the_same_failure_while_it_is_open_is_counted():
    board = make_board()
    for _ in range(2):
        fails_on(board, "board:link-lost")
    assert board.incidents.get(kind=IncidentKind.FAILURE).times == 2


def test_an_incident_has_the_failures_title_and_advice():
    board = make_board()
    fails_on(board, "board:link-lost")
    incident = board.incidents.get()
    assert (incident.title, incident.advice != "") == ("The connection to the board broke", True)


def test_a_good_run_ends_the_failures_before_it():
    board = make_board()
    fails_on(board, "board:link-lost")
    run = run_on(board)
    assert board.incidents.get().ended_by == str(run)


def test_two_failures_in_a_row_are_a_quarantine_of_their_own():
    board = make_board()
    for _ in range(2):
        fails_on(board, "board:agent-died")
    assert board.incidents.filter(kind=IncidentKind.QUARANTINE, ended_at=None).count() == 1


def test_who_brings_a_board_back_ends_its_quarantine():
    board, admin = make_board(make_project()), owner_of(make_project())
    set_state(board, BoardState.UNHEALTHY, "board:npu-failed: -6")
    resume(board, admin)
    incident = board.incidents.get()
    assert (incident.ended_by, incident.ended_by_user) == (str(admin), admin)


@pytest.mark.parametrize(
    ("code", "looked_at"),
    [
        ("board:npu-failed", True),
        ("board:rebooted", True),
        ("board:bad-answer", True),
        ("board:link-lost", False),
        ("board:rejected-artifact", False),
        ("board:disk-full", False),
        ("board:login-refused", False),
    ],
)
def test_after_what_a_board_is_checked(code: str, looked_at: bool):
    board = make_board()
    fails_on(board, code)
    assert is_due(board) == looked_at


def test_a_link_lost_twice_is_looked_into_after_a_rest():
    board = make_board()
    for _ in range(2):
        fails_on(board, "board:link-lost")
    watch = BoardWatch.objects.get(board=board)
    assert (watch.cause, watch.due_at > timezone.now()) == (Cause.RECOVERY, True)


def test_a_failed_health_run_does_not_ask_for_the_next():
    board = make_board()
    fails_on(board, "board:npu-failed", purpose=Purpose.HEALTH)
    assert not is_due(board)


def test_a_board_brought_back_by_hand_is_checked():
    board, admin = make_board(), owner_of(make_project())
    pause(board, "cable", admin)
    resume(board, admin)
    assert is_due(board)


def changed_after(board: Board, **fields: Any) -> list[str]:
    """The kinds of incidents after two runs of which the second shows these fields."""
    run_on(board)
    run_on(board, fingerprint=fields)
    return list(board.incidents.order_by("pk").values_list("kind", flat=True))


def test_another_boot_between_two_runs_is_a_reboot(board: Board):
    assert changed_after(board, boot_id="second") == [IncidentKind.REBOOT]


def test_another_driver_is_a_changed_fingerprint_that_says_what_changed(board: Board):
    changed_after(board, driver="6.4.6.2")
    assert board.incidents.get().detail == "driver: 6.4.3.5 became 6.4.6.2"


@pytest.mark.parametrize("field", ["temperature_mc", "load", "uptime_s", "mem_available_kb", "unix_time"])
def test_what_changes_from_minute_to_minute_is_no_incident(board: Board, field: str):
    assert changed_after(board, **{field: 7}) == []


def test_iterations_of_more_than_ten_medians_are_a_hang(board: Board):
    run_on(board, iterations_us=[10.0, 10.0, 10.0, 500.0])
    assert board.incidents.get().detail == "1 of 4 iterations took more than ten medians"


def test_without_a_golden_model_what_a_good_run_shows_is_only_told(board: Board):
    changed_after(board, driver="6.4.6.2")
    assert not board.incidents.get().is_open


def test_with_a_golden_model_a_changed_driver_is_checked_now(board: Board, golden: GoldenModel):
    changed_after(board, driver="6.4.6.2")
    assert (board.incidents.get().is_open, is_due(board)) == (True, True)


def test_a_passing_check_ends_what_is_open(board: Board, golden: GoldenModel):
    changed_after(board, driver="6.4.6.2")
    check = request_check(board, Cause.INCIDENT)
    assert check is not None
    run_on(board, run=check.run, fingerprint={"driver": "6.4.6.2"})
    judged(check)
    assert board.incidents.get().ended_by == str(check)


def test_one_reboot_quarantines_nobody(board: Board):
    changed_after(board, boot_id="second")
    board.refresh_from_db()
    assert board.state == BoardState.READY


def test_two_reboots_in_three_runs_quarantine_the_board(board: Board):
    for boot in ("first", "second", "third"):
        run_on(board, fingerprint={"boot_id": boot})
    board.refresh_from_db()
    assert (board.state, board.reason) == (
        BoardState.UNHEALTHY,
        "board:rebooted: 2 restarts in its last 3 runs",
    )


def test_two_reboots_with_two_good_runs_between_quarantine_nobody(board: Board):
    for boot in ("first", "second", "second", "second", "third"):
        run_on(board, fingerprint={"boot_id": boot})
    board.refresh_from_db()
    assert board.state == BoardState.READY


def test_another_host_key_is_written_down_and_checked():
    board, project = make_board(), make_project()
    wanted = BoardSettings(
        name=board.name,
        address=board.address,
        port=board.port,
        username="root",
        host_key=public_key(new_private_key()),
        private_key=new_private_key(),
    )
    register_board(wanted, [project], owner_of(project))
    incident = board.incidents.get(kind=IncidentKind.HOST_KEY)
    assert (incident.ended_by, is_due(board)) == (str(owner_of(project)), True)


def test_a_person_closes_an_incident():
    board, admin = make_board(make_project()), owner_of(make_project())
    fails_on(board, "board:npu-failed")
    incident = Incident.objects.get()
    incidents.close(incident, admin)
    assert (incident.is_open, incident.ended_by_user) == (False, admin)


def check(**found: Any) -> dict[str, Any]:
    """A check of the sequence mode as a run's result holds it."""
    return {
        "name": "reload",
        "runs": 4,
        "differing": [],
        "max_difference": 0.0,
        "hangs": 0,
        "median_us": 9.0,
        **found,
    }


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"differing": [2, 3]}, "executions [2, 3] differed in the check reload"),
        ({"hangs": 1}, "1 of 4 executions hung"),
    ],
)
def test_what_a_sequence_check_finds_is_an_incident(found, told):
    board = make_board()
    run_on(board, sequence=[check(**found)])
    assert told in board.incidents.get(kind=IncidentKind.HANG).detail


def test_sequences_that_agree_are_no_incident():
    board = make_board()
    run_on(board, sequence=[check()])
    assert not board.incidents.filter(kind=IncidentKind.HANG).exists()


def test_a_run_tells_which_runtime_its_board_has():
    board = make_board()
    run_on(board, fingerprint={"npu": "1.7.5 (ccb93f1)"})
    board.refresh_from_db()
    assert board.runtime_version == "1.7.5 (ccb93f1)"


def test_a_board_out_of_service_that_is_lost_has_an_incident_too():
    board = make_board()
    run = make_queued_run(artifact_for(board), board)
    board.projects.add(run.project)
    assert claim_with_board(run, "worker@test")
    pause(Board.objects.get(pk=board.pk), "a new fan", None)
    note_failure(run, Board.objects.get(pk=board.pk), "board:link-lost", "cut")
    assert board.incidents.filter(kind=IncidentKind.FAILURE, code="board:link-lost").count() == 1


def test_a_deleted_run_takes_its_details_along():
    board = make_board()
    run = fails_on(board, "board:npu-failed", "layer secret_conv")
    run.delete()
    incident = board.incidents.get(kind=IncidentKind.FAILURE)
    assert (incident.run, incident.detail) == (None, "")


def test_a_board_whose_npu_failed_comes_back_by_the_first_check_that_passes(
    board: Board, golden: GoldenModel
) -> None:
    for _ in range(2):
        fails_on(board, "board:npu-exited")
    for _ in range(2):
        check = looked_at(board)
        fails(check.run, board, "board:npu-exited")
        judged(check)
    tries = BoardWatch.objects.get(board=board).tries
    check = looked_at(board)
    run_on(board, run=check.run)
    judged(check)
    board.refresh_from_db()
    assert (tries, board.state) == (2, BoardState.READY)


def looked_at(board: Board) -> HealthCheck:
    """The check that the dispatcher asks for once the board's rest is over."""
    BoardWatch.objects.filter(board=board).update(due_at=timezone.now())
    assert services.turn() == 1
    return HealthCheck.objects.latest("pk")
