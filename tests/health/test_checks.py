"""A check's judgement: what passes, what quarantines a board and with which evidence, who may bring it back."""

from typing import Any

import pytest

from dashboard.boards.models import Board, BoardState
from dashboard.boards.services import reason_of_failures, set_state
from dashboard.health.checks import accept_outputs, request_check, sentence_of
from dashboard.health.golden import NotGolden, golden_for, name_golden_model, retire
from dashboard.health.models import Cause, GoldenModel, HealthCheck, IncidentKind, Outcome
from dashboard.projects.models import AuditEvent
from tests.factories import (
    fail,
    make_artifact,
    make_board,
    make_conversion,
    make_model,
    make_project,
    make_version,
    owner_of,
)  # fmt: skip
from tests.health.conftest import RIGHT, judged, run_on

pytestmark = pytest.mark.django_db
WRONG = (1.0, 2.0, 3.5)
NEW_DRIVER = {"driver": "6.4.6.2"}


def check_of(board: Board, cause: Cause = Cause.SCHEDULE, **found: Any) -> HealthCheck:
    """A check of the board whose run finds this, judged."""
    check = request_check(board, cause)
    assert check is not None
    run_on(board, run=check.run, **found)
    return judged(check)


def state_of(board: Board) -> tuple[str, str]:
    board.refresh_from_db()
    return board.state, board.reason


def test_the_same_outputs_pass(board: Board, golden: GoldenModel):
    assert check_of(board).outcome == Outcome.PASSED


def test_metadata_of_the_outputs_does_not_count(board: Board, golden: GoldenModel):
    assert check_of(board, note="written on another day").outcome == Outcome.PASSED


def test_a_single_other_bit_quarantines_the_board(board: Board, golden: GoldenModel):
    check_of(board, values=(1.0, 2.0, 3.0000002))
    assert state_of(board)[0] == BoardState.UNHEALTHY


def test_the_evidence_says_which_values_differ_and_by_how_much(board: Board, golden: GoldenModel):
    [tensor] = check_of(board, values=WRONG).evidence["outputs"]["tensors"]
    assert (tensor["name"], tensor["differing"], tensor["largest"], tensor["first_index"]) == ("y", 1, 0.5, 2)


def test_the_reason_of_the_quarantine_names_the_check_and_no_tensor(board: Board, golden: GoldenModel):
    check = check_of(board, values=WRONG)
    told = f"board:unhealthy: check {check.pk}: The board does not compute the golden model as before"
    assert state_of(board)[1] == told


def test_what_the_check_found_is_in_no_incident_that_others_read(board: Board, golden: GoldenModel):
    check = check_of(board, values=WRONG)
    others = [one.detail for one in board.incidents.filter(run=None)]
    assert (sentence_of(check), len(others), "'y'" in " ".join(others)) == (
        "Output 'y' differs in 1 of 3 values, by 0.5 at most.",
        1,
        False,
    )


def test_the_evidence_names_what_changed_since_the_last_good_check(board: Board, golden: GoldenModel):
    check_of(board)
    found = check_of(board, values=WRONG, fingerprint={"clocks": {"npu_governor": "powersave"}})
    assert [change["field"] for change in found.evidence["changed"]] == ["clocks.npu_governor"]


def test_other_outputs_of_a_new_driver_may_be_right_and_say_so(board: Board, golden: GoldenModel):
    found = check_of(board, values=WRONG, fingerprint=NEW_DRIVER)
    assert (found.outcome, "may be right" in sentence_of(found)) == (Outcome.NEW_STACK, True)


def test_a_new_driver_with_the_same_outputs_needs_nobodys_word(board: Board, golden: GoldenModel):
    check_of(board, fingerprint=NEW_DRIVER)
    assert sorted(golden.outputs.values_list("facts__driver", flat=True)) == ["6.4.3.5", "6.4.6.2"]


def test_an_accepted_new_driver_brings_the_board_back(board: Board, golden: GoldenModel):
    accept_outputs(check_of(board, values=WRONG, fingerprint=NEW_DRIVER), owner_of(golden.project))
    assert state_of(board) == (BoardState.READY, "")


def test_after_accepting_both_drivers_have_outputs_of_their_own(board: Board, golden: GoldenModel):
    accept_outputs(check_of(board, values=WRONG, fingerprint=NEW_DRIVER), owner_of(golden.project))
    outcomes = [
        check_of(board, values=WRONG, fingerprint=NEW_DRIVER).outcome,
        check_of(board, values=RIGHT).outcome,
    ]
    assert outcomes == [Outcome.PASSED, Outcome.PASSED]


def test_accepting_is_written_into_the_audit_trail(board: Board, golden: GoldenModel):
    accept_outputs(check_of(board, values=WRONG), owner_of(golden.project))
    assert AuditEvent.objects.filter(action="golden.accepted", project=golden.project).count() == 1


def test_a_passed_check_has_nothing_to_accept(board: Board, golden: GoldenModel):
    with pytest.raises(NotGolden):
        accept_outputs(check_of(board), owner_of(golden.project))


def test_accepting_does_not_end_a_quarantine_for_another_reason(board: Board, golden: GoldenModel):
    set_state(board, BoardState.UNHEALTHY, "board:host-key-changed: it shows another")
    found = check_of(board, values=WRONG)
    accept_outputs(found, owner_of(golden.project))
    assert state_of(board)[0] == BoardState.UNHEALTHY


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("board:unreachable: no answer", BoardState.READY),
        ("board:link-lost: cut", BoardState.READY),
        ("board:power-cycled: rebooted", BoardState.READY),
        (reason_of_failures("board:npu-failed"), BoardState.READY),
        (reason_of_failures("board:npu-exited"), BoardState.READY),
        (reason_of_failures("board:host-key-changed"), BoardState.UNHEALTHY),
        (reason_of_failures("board:rebooted"), BoardState.UNHEALTHY),
        ("board:npu-hung: it hung again after 3 restarts in an hour", BoardState.UNHEALTHY),
        ("board:unhealthy: check 1: differs", BoardState.UNHEALTHY),
    ],
)
def test_a_passing_check_ends_only_quarantines_that_it_disproves(
    board: Board, golden: GoldenModel, reason: str, state: BoardState
):
    set_state(board, BoardState.UNHEALTHY, reason)
    check_of(board)
    assert state_of(board)[0] == state


def test_a_board_whose_npu_fails_in_its_check_too_is_tried_again_soon(board: Board, golden: GoldenModel):
    set_state(board, BoardState.UNHEALTHY, reason_of_failures("board:npu-failed"))
    check = request_check(board, Cause.INCIDENT)
    assert check is not None
    fail(check.run, "board:npu-failed", "-6")
    judged(check)
    board.refresh_from_db()
    assert (board.state, board.watch.tries, board.watch.cause) == (BoardState.UNHEALTHY, 1, Cause.RECOVERY)


def test_a_paused_board_stays_paused_whatever_a_check_finds(board: Board, golden: GoldenModel):
    check = request_check(board, Cause.SCHEDULE)
    assert check is not None
    run_on(board, run=check.run, values=WRONG)
    set_state(board, BoardState.PAUSED, "by hand")
    judged(check)
    assert state_of(board) == (BoardState.PAUSED, "by hand")


def test_a_run_that_failed_says_nothing_about_outputs(board: Board, golden: GoldenModel):
    check = request_check(board, Cause.SCHEDULE)
    assert check is not None
    fail(check.run, "board:unreachable", "no answer")
    found = judged(check)
    assert (found.outcome, state_of(board)[0]) == (Outcome.UNKNOWN, BoardState.READY)


def slow_history(board: Board) -> None:
    for median in (1000.0, 1001.0, 999.0, 1002.0, 1000.0, 998.0):
        check_of(board, median_us=median)


def test_a_slow_check_is_only_a_suspicion(board: Board, golden: GoldenModel):
    slow_history(board)
    found = check_of(board, median_us=1050.0)
    assert (found.outcome, state_of(board)[0]) == (Outcome.SUSPECT, BoardState.READY)


def confirmed(board: Board, first: HealthCheck, *medians: float) -> list[str]:
    """The outcomes of the confirming re-runs that follow by themselves."""
    outcomes = []
    for median in medians:
        check = HealthCheck.objects.get(confirms=first, outcome="")
        run_on(board, run=check.run, median_us=median)
        outcomes.append(judged(check).outcome)
    return outcomes


def test_two_confirming_runs_quarantine_a_slow_board(board: Board, golden: GoldenModel):
    slow_history(board)
    first = check_of(board, median_us=1050.0)
    assert confirmed(board, first, 1049.0, 1052.0) == ["suspect", "slower"]
    assert "slower than in its last checks" in state_of(board)[1]


def test_a_confirming_run_that_is_fast_ends_the_suspicion(board: Board, golden: GoldenModel):
    slow_history(board)
    first = check_of(board, median_us=1050.0)
    assert (confirmed(board, first, 1001.0), state_of(board)[0]) == (["passed"], BoardState.READY)


def test_within_one_percent_nothing_is_suspicious(board: Board, golden: GoldenModel):
    for _ in range(6):
        check_of(board, median_us=1000.0)
    assert check_of(board, median_us=1009.0).outcome == Outcome.PASSED


def test_times_of_another_governor_are_no_measure(board: Board, golden: GoldenModel):
    slow_history(board)
    found = check_of(board, median_us=2000.0, fingerprint={"clocks": {"npu_governor": "powersave"}})
    assert found.outcome == Outcome.PASSED


def test_the_time_of_a_simulated_board_is_not_blamed(project: Any):
    simulated = make_board(project)
    golden = name_golden_model(run_on(simulated), owner_of(project))
    simulated.projects.add(golden.project)
    for _ in range(6):
        check_of(simulated, median_us=1000.0)
    assert check_of(simulated, median_us=9000.0).outcome == Outcome.PASSED


def test_a_board_is_checked_once_at_a_time(board: Board, golden: GoldenModel):
    first, second = request_check(board, Cause.SCHEDULE), request_check(board, Cause.ASKED)
    assert (first is not None, second) == (True, None)


def test_a_simulated_boards_golden_model_is_not_for_real_boards(project: Any, board: Board):
    simulated = make_board(project)
    run = run_on(simulated)
    name_golden_model(run, owner_of(run.project))
    board.projects.add(run.project)
    assert golden_for(board) is None


def test_a_golden_model_of_the_boards_runtime_goes_before_one_of_any(board: Board, golden: GoldenModel):
    Board.objects.filter(pk=board.pk).update(runtime_version="1.7.3")
    board.refresh_from_db()
    run = golden.outputs.get().run
    assert run is not None
    exact = name_golden_model(run, owner_of(golden.project), "1.7.3")
    assert golden_for(board) == exact


def test_naming_another_retires_the_one_before(golden: GoldenModel):
    run = golden.outputs.get().run
    assert run is not None
    newer = name_golden_model(run, owner_of(golden.project))
    golden.refresh_from_db()
    assert (golden.retired_at is not None, newer.retired_at) == (True, None)


def test_a_run_without_a_good_end_is_no_golden_model(board: Board):
    run = run_on(board)
    type(run).objects.filter(pk=run.pk).update(state="failed")
    run.refresh_from_db()
    with pytest.raises(NotGolden):
        name_golden_model(run, owner_of(run.project))


def test_a_retired_model_checks_nothing(board: Board, golden: GoldenModel):
    retire(golden, owner_of(golden.project))
    assert request_check(board, Cause.ASKED) is None


def test_a_project_that_may_not_use_the_board_does_not_check_it(golden: GoldenModel):
    assert golden_for(make_board(make_project(), simulated=False)) is None


def test_a_quarantine_by_a_check_is_an_open_incident(board: Board, golden: GoldenModel):
    check_of(board, values=WRONG)
    [incident] = board.incidents.filter(kind=IncidentKind.QUARANTINE)
    assert (incident.code, incident.is_open) == ("board:unhealthy", True)


def test_accepting_what_one_check_found_ends_no_other_checks_quarantine(board: Board, golden: GoldenModel):
    check = check_of(board, values=WRONG)
    reason = f"board:unhealthy: check {check.pk}7: The board does not compute the golden model as before"
    Board.objects.filter(pk=board.pk).update(reason=reason)
    accept_outputs(check, owner_of(golden.project))
    assert state_of(board) == (BoardState.UNHEALTHY, reason)


def test_a_golden_model_for_a_runtime_that_no_board_has_is_refused(board: Board, golden: GoldenModel):
    with pytest.raises(NotGolden, match="has the runtime version"):
        name_golden_model(golden.outputs.get().run, owner_of(golden.project), "?!")


def test_a_board_of_software_and_an_emulated_one_do_not_share_a_golden_model():
    """Both are simulated; what one executes the other cannot, and its check would wait for ever."""
    software = make_board(make_project())
    emulated = make_board(*software.projects.all(), simulated=False)
    Board.objects.filter(pk=emulated.pk).update(simulated=True)
    emulated.refresh_from_db()
    artifact = make_artifact(make_conversion(make_version(make_model(software.projects.get()))))
    golden = name_golden_model(run_on(software, artifact), None)
    assert (golden_for(software), golden_for(emulated)) == (golden, None)
