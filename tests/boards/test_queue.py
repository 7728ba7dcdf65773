"""Which run a board takes next: what it satisfies, the highest rank, whose turn it is, the oldest."""

from datetime import timedelta

import pytest
from django.utils import timezone

from dashboard.boards.fairness import charge
from dashboard.boards.models import Board, BoardState, Purpose, Run, Usage
from dashboard.boards.queue import claim_next, wakers
from dashboard.boards.services import drain, request_run, set_state
from dashboard.conversions.models import Artifact
from dashboard.conversions.offers import AS_BUILT, READY
from dashboard.jobs.models import State
from tests import factories
from tests.boards.queues import artifact_of, flood, two_projects
from tests.claims import claim_with_board

pytestmark = pytest.mark.django_db


@pytest.fixture
def artifact() -> Artifact:
    return factories.make_artifact()


@pytest.fixture
def board(artifact: Artifact) -> Board:
    return factories.make_board(artifact.conversion.project)


def end(run: Run) -> None:
    assert run.succeed(run.fence)


def served(board: Board, count: int) -> list[Run]:
    """The runs that the board does one after the other."""
    done = []
    for _ in range(count):
        run = claim_next(board, "worker")
        if run is None:
            break
        done.append(run)
        end(run)
    return done


def test_the_oldest_run_is_first(artifact, board):
    runs = flood(artifact, 3)
    assert served(board, 3) == runs


def test_a_claim_takes_run_and_board(artifact, board):
    [run] = flood(artifact, 1)
    claim_next(board, "worker")
    run.refresh_from_db()
    assert (run.state, run.holds, run.board) == (State.RUNNING, board, board)


@pytest.mark.parametrize("toolkit", ["reference", "rknn1", "ready"])
def test_simulated_boards_take_what_the_reference_toolkit_made_and_others_the_rest(toolkit):
    built = {"dtype": AS_BUILT, "algorithm": AS_BUILT} if toolkit == READY else {}
    artifact = factories.make_artifact(toolkit=toolkit, platform="rv1126", **built)
    project = artifact.conversion.project
    boards = {
        simulated: factories.make_board(project, simulated=simulated, name=f"simulated {simulated}")
        for simulated in (True, False)
    }
    run = request_run(artifact)
    fitting, other = boards[toolkit == "reference"], boards[toolkit != "reference"]
    assert (wakers(), served(other, 1), served(fitting, 1)) == ([run.pk], [], [run])


def test_nothing_waits_for_the_board(board):
    assert claim_next(board, "worker") is None


def test_a_board_that_is_held_takes_no_second_run(artifact, board):
    flood(artifact, 2)
    claim_next(board, "worker")
    assert claim_next(board, "worker") is None


def test_a_higher_priority_goes_first(artifact, board):
    flood(artifact, 2)
    [urgent] = flood(artifact, 1, priority=5)
    assert served(board, 1) == [urgent]


def test_a_lower_priority_waits(artifact, board):
    flood(artifact, 1, priority=-5)
    [usual] = flood(artifact, 1)
    assert served(board, 1) == [usual]


@pytest.mark.parametrize(
    ("has", "needs", "fits"),
    [([], [], True), (["camera"], [], True), (["camera"], ["camera"], True), ([], ["camera"], False),
     (["camera", "512mb"], ["512mb", "camera"], True), (["camera"], ["camera", "512mb"], False)],
)  # fmt: skip
def test_every_label_must_be_on_the_board(artifact, board, has, needs, fits):
    Board.objects.update(labels=has)
    request_run(artifact, labels=needs)
    board.refresh_from_db()
    assert (claim_next(board, "worker") is not None) == fits


@pytest.mark.parametrize(
    ("has", "needs", "fits"), [("1.7.5", "", True), ("1.7.5", "1.7.5", True), ("1.7.5", "1.6", False)]
)
def test_the_runtime_version_must_be_the_board_s(artifact, board, has, needs, fits):
    Board.objects.update(runtime_version=has)
    request_run(artifact, runtime_version=needs)
    board.refresh_from_db()
    assert (claim_next(board, "worker") is not None) == fits


def test_a_pinned_run_goes_to_its_board_only(artifact, board):
    other = factories.make_board(artifact.conversion.project)
    request_run(artifact, board=board)
    assert (claim_next(other, "worker"), claim_next(board, "worker") is not None) == (None, True)


def test_a_pinned_run_needs_its_labels_too(artifact, board):
    request_run(artifact, board=board, labels=["camera"])
    assert claim_next(board, "worker") is None


def test_a_run_of_another_site_stays_there(artifact, board):
    flood(artifact, 1, site="kyoto")
    assert claim_next(board, "worker") is None


def test_a_run_of_another_platform_is_not_taken(artifact, board):
    flood(artifact, 1, platform="rk3588")
    assert claim_next(board, "worker") is None


def test_a_run_of_a_project_without_the_board_is_not_taken(board):
    flood(artifact_of(factories.make_project()), 1)
    assert claim_next(board, "worker") is None


def test_a_run_put_back_waits_for_its_time(artifact, board):
    flood(artifact, 1)
    Run.objects.update(not_before=timezone.now() + timedelta(seconds=30))
    assert claim_next(board, "worker") is None


@pytest.mark.parametrize(
    "state", [BoardState.PAUSED, BoardState.OFFLINE, BoardState.UNHEALTHY, BoardState.DRAINING]
)
def test_a_board_out_of_service_takes_nothing(artifact, board, state):
    flood(artifact, 1)
    set_state(board, state)
    assert claim_next(board, "worker") is None


def test_health_runs_go_before_every_priority(artifact, board):
    flood(artifact, 1, priority=10)
    health = request_run(artifact, board=board, purpose=Purpose.HEALTH, priority=-10)
    assert served(board, 1) == [health]


def test_a_pinned_health_run_goes_to_a_sick_board(artifact, board):
    set_state(board, BoardState.UNHEALTHY, "board:unhealthy: differs")
    health = request_run(artifact, board=board, purpose=Purpose.HEALTH)
    assert served(board, 1) == [health]


def test_a_run_of_a_twin_check_overtakes_nobody(artifact, board):
    [first] = flood(artifact, 1)
    twin = request_run(artifact, board=board, purpose=Purpose.TWIN)
    assert served(board, 2) == [first, twin]


def test_a_run_of_a_twin_check_that_names_a_sick_board_wakes_it(artifact, board):
    set_state(board, BoardState.UNHEALTHY, "board:unhealthy: differs")
    flood(artifact, 1, wanted_board=board)
    twin = request_run(artifact, board=board, purpose=Purpose.TWIN)
    assert (wakers(), served(board, 2)) == ([twin.pk], [twin])


def test_a_health_run_for_any_board_avoids_sick_ones(artifact, board):
    set_state(board, BoardState.UNHEALTHY)
    request_run(artifact, purpose=Purpose.HEALTH)
    assert claim_next(board, "worker") is None


def test_a_pinned_health_run_can_be_claimed_by_itself(artifact, board):
    set_state(board, BoardState.UNHEALTHY)
    assert claim_with_board(request_run(artifact, board=board, purpose=Purpose.HEALTH), "worker")


def test_a_sick_board_is_woken_for_its_health_run(artifact, board):
    set_state(board, BoardState.UNHEALTHY)
    flood(artifact, 1, wanted_board=board)
    health = request_run(artifact, board=board, purpose=Purpose.HEALTH)
    assert wakers() == [health.pk]


def test_two_projects_take_turns(board):
    one, other = two_projects(board)
    flood(one, 4), flood(other, 4)
    for _ in range(8):
        run = claim_next(board, "worker")
        assert run is not None
        end(run)
        charge(run.project_id, run.site, 10)
    order = list(Run.objects.order_by("started_at").values_list("project", flat=True))
    assert all(order[at] != order[at + 1] for at in range(0, 8, 2))


def test_a_flood_does_not_hold_up_another_project(board):
    one, other = two_projects(board)
    flood(one, 300)
    charge(one.conversion.project_id, "local", 30)
    [single] = flood(other, 1)
    assert served(board, 1) == [single]


def test_a_flood_of_health_runs_costs_its_project_nothing(artifact, board):
    request_run(artifact, board=board, purpose=Purpose.HEALTH)
    assert served(board, 1)
    assert not Usage.objects.exists()


def test_a_run_of_a_twin_check_is_charged_to_its_project(artifact, board, django_capture_on_commit_callbacks):
    request_run(artifact, board=board, purpose=Purpose.TWIN)
    with django_capture_on_commit_callbacks(execute=True):
        assert served(board, 1)
    assert Usage.objects.filter(project=artifact.conversion.project).exists()


def test_boards_that_become_free_at_once_do_not_all_go_to_one_project():
    boards = [factories.make_board() for _ in range(6)]
    made = [artifact_of(factories.make_project()) for _ in range(2)]
    for each in boards:
        each.projects.set(artifact.conversion.project for artifact in made)
    for artifact in made:
        flood(artifact, 20)
    taken = [claim_next(each, "worker") for each in boards]
    counts = [sum(run.project == artifact.conversion.project for run in taken if run) for artifact in made]
    assert counts == [3, 3]


def test_old_use_is_forgotten(board):
    one, other = two_projects(board)
    flood(one, 1), flood(other, 1)
    charge(one.conversion.project_id, "local", 1000)
    charge(other.conversion.project_id, "local", 10)
    Usage.objects.filter(project=one.conversion.project).update(at=timezone.now() - timedelta(hours=2))
    assert [run.project for run in served(board, 1)] == [one.conversion.project]


def test_use_at_another_site_does_not_count(board):
    one, other = two_projects(board)
    flood(one, 1), flood(other, 1)
    charge(one.conversion.project_id, "kyoto", 1000)
    assert [run.project for run in served(board, 1)] == [one.conversion.project]


def test_priority_goes_before_turns(board):
    one, other = two_projects(board)
    flood(other, 1), flood(one, 1, priority=3)
    charge(one.conversion.project_id, "local", 1000)
    assert [run.project for run in served(board, 1)] == [one.conversion.project]


@pytest.mark.django_db(transaction=True)
def test_the_time_on_the_board_is_counted(artifact, board):
    [run] = flood(artifact, 1)
    claim_next(board, "worker")
    Run.objects.update(started_at=timezone.now() - timedelta(seconds=20))
    run.refresh_from_db()
    end(run)
    assert 19 < Usage.objects.get().seconds < 25


def test_a_drained_board_pauses_when_its_run_ends(artifact, board):
    [run] = flood(artifact, 1)
    claim_next(board, "worker")
    drain(board, "new cable", None)
    before = board.state
    run.refresh_from_db()
    end(run)
    board.refresh_from_db()
    assert (before, board.state, board.reason) == (BoardState.DRAINING, BoardState.PAUSED, "new cable")


def test_an_idle_board_that_is_drained_pauses_at_once(board):
    drain(board, "", None)
    assert board.state == BoardState.PAUSED


def test_a_board_tells_since_when_it_is_free(artifact, board):
    [run] = flood(artifact, 1)
    claim_next(board, "worker")
    run.refresh_from_db()
    end(run)
    board.refresh_from_db()
    assert board.free_at is not None and abs((board.free_at - run.ended_at).total_seconds()) < 0.5


def test_a_flood_wakes_each_idle_board_once(artifact, board):
    for _ in range(2):
        factories.make_board(artifact.conversion.project)
    flood(artifact, 300)
    assert len(wakers()) == 3


def test_a_board_is_woken_by_one_of_many_lanes(artifact, board):
    Board.objects.update(labels=["camera"])
    flood(artifact, 5)
    flood(artifact, 5, labels=["camera"])
    assert len(wakers()) == 1


def test_what_no_idle_board_can_do_wakes_nobody(artifact, board):
    flood(artifact, 300, labels=["camera"])
    assert wakers() == []
