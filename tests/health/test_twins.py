"""Two boards, one artifact: what equal and different answers mean, and when a third board is asked."""

from typing import Any

import pytest

from dashboard.boards.models import Board, BoardState, Run
from dashboard.boards.services import set_state
from dashboard.conversions.models import Artifact
from dashboard.health.models import TwinCheck, TwinOutcome
from dashboard.health.twins import CannotCompare, request_twin_check
from dashboard.jobs.models import State
from dashboard.pipeline import cancel_job
from dashboard.projects.models import AuditEvent, Project
from tests.factories import fail, make_artifact, make_board, owner_of
from tests.health.conftest import RIGHT, ended_well, run_on
from workers.steps.twin import twin as twin_step

pytestmark = pytest.mark.django_db
WRONG, OTHER = (1.0, 2.0, 9.0), (7.0, 7.0, 7.0)


@pytest.fixture
def artifact(db: None) -> Artifact:
    return make_artifact()


def boards_for(artifact: Artifact, count: int) -> list[Board]:
    return [make_board(artifact.conversion.project) for _ in range(count)]


def project_of(artifact: Artifact) -> Project:
    return artifact.conversion.project


def asked(artifact: Artifact, *boards: Board) -> TwinCheck:
    chosen: Any = (*boards, None, None)[:2]
    return request_twin_check(artifact, owner_of(project_of(artifact)), chosen)


def answered(twin: TwinCheck, *values: tuple[float, ...]) -> TwinCheck:
    """The twin check after its boards have given these outputs, in order, the referee last."""
    for name, outputs in zip(("first_run", "second_run", "referee_run"), values, strict=False):
        twin.refresh_from_db()
        run = getattr(twin, name)
        run_on(run.wanted_board, run=run, values=outputs)
    return ended_well(TwinCheck.objects.get(pk=twin.pk), twin_step)


def test_boards_that_cannot_execute_the_artifact_are_no_twins(artifact: Artifact):
    real = [make_board(project_of(artifact), simulated=False) for _ in range(2)]
    for boards in ((), real[:1]):
        with pytest.raises(CannotCompare):
            asked(artifact, *boards)


def test_two_boards_with_the_same_outputs_are_equal(artifact: Artifact):
    boards_for(artifact, 2)
    assert answered(asked(artifact), RIGHT, RIGHT).outcome == TwinOutcome.EQUAL


def test_without_a_third_board_nobody_can_say_who_is_right(artifact: Artifact):
    boards_for(artifact, 2)
    found = answered(asked(artifact), RIGHT, WRONG)
    assert (found.outcome, found.referee_run) == (TwinOutcome.DIFFERS, None)


@pytest.mark.parametrize(
    ("answers", "bad"), [((RIGHT, WRONG, RIGHT), 1), ((WRONG, RIGHT, RIGHT), 0)], ids=["second", "first"]
)
def test_a_third_board_tells_which_one_stands_alone(artifact: Artifact, answers: Any, bad: int):
    boards = boards_for(artifact, 3)
    found = answered(asked(artifact, boards[0], boards[1]), *answers)
    assert (found.outcome, found.bad_board) == (TwinOutcome.BAD_BOARD, boards[bad])


def test_three_boards_with_three_answers_blame_the_model(artifact: Artifact):
    boards_for(artifact, 3)
    assert answered(asked(artifact), RIGHT, WRONG, OTHER).outcome == TwinOutcome.BAD_MODEL


def test_the_third_board_is_only_asked_when_two_differ(artifact: Artifact):
    boards_for(artifact, 3)
    assert answered(asked(artifact), RIGHT, RIGHT).referee_run is None


def test_the_sentence_names_the_board_that_stands_alone(artifact: Artifact):
    boards = boards_for(artifact, 3)
    found = answered(asked(artifact, boards[0], boards[1]), RIGHT, WRONG, RIGHT)
    assert found.sentence.startswith(
        f"{boards[1].label} stands alone: a third board, {boards[2].label}, agrees"
    )


def test_a_twin_check_waits_for_both_runs(artifact: Artifact):
    boards_for(artifact, 2)
    twin = asked(artifact)
    run_on(twin.first_run.wanted_board, run=twin.first_run)  # type: ignore[arg-type]
    assert not TwinCheck.objects.to_ring().exists()


def test_a_run_that_failed_leaves_nothing_to_compare(artifact: Artifact):
    boards_for(artifact, 2)
    twin = asked(artifact)
    fail(twin.first_run, "board:npu-failed", "-6")
    run_on(twin.second_run.wanted_board, run=twin.second_run)  # type: ignore[arg-type]
    found = ended_well(TwinCheck.objects.to_ring().get(), twin_step)
    assert (found.outcome, "The NPU library reported an error" in found.sentence) == ("cannot tell", True)


def test_the_same_board_twice_is_no_twin_check(artifact: Artifact):
    [board, _] = boards_for(artifact, 2)
    with pytest.raises(CannotCompare):
        asked(artifact, board, board)


def test_one_board_alone_is_not_enough(artifact: Artifact):
    boards_for(artifact, 1)
    with pytest.raises(CannotCompare):
        asked(artifact)


def test_a_board_in_quarantine_is_not_taken_by_itself(artifact: Artifact):
    boards = boards_for(artifact, 3)
    set_state(boards[0], BoardState.UNHEALTHY, "board:npu-failed: x")
    twin = asked(artifact)
    assert {twin.first_run.wanted_board, twin.second_run.wanted_board} == set(boards[1:])


def test_a_board_in_quarantine_may_be_chosen(artifact: Artifact):
    boards = boards_for(artifact, 3)
    set_state(boards[0], BoardState.UNHEALTHY, "board:npu-failed: x")
    found = answered(asked(artifact, boards[0], boards[1]), WRONG, RIGHT, RIGHT)
    assert found.bad_board == boards[0]


def test_a_twin_check_is_written_into_the_audit_trail(artifact: Artifact):
    boards_for(artifact, 2)
    asked(artifact)
    assert AuditEvent.objects.filter(action="twin.requested", project=project_of(artifact)).exists()


def test_a_cancelled_run_leaves_nothing_to_compare(artifact: Artifact):
    boards_for(artifact, 2)
    twin = asked(artifact)
    twin.first_run.cancel()
    run_on(twin.second_run.wanted_board, run=twin.second_run)  # type: ignore[arg-type]
    found = ended_well(TwinCheck.objects.to_ring().get(), twin_step)
    assert (found.state, found.outcome) == (State.SUCCEEDED, TwinOutcome.UNKNOWN)


def test_a_cancelled_twin_check_takes_its_runs_out_of_the_queue(artifact: Artifact):
    boards_for(artifact, 2)
    twin = asked(artifact)
    cancel_job(twin, owner_of(project_of(artifact)))
    assert [Run.objects.get(pk=pk).state for pk in (twin.first_run_id, twin.second_run_id)] == [
        State.CANCELLED,
        State.CANCELLED,
    ]
