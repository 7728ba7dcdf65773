"""Which boards are woken: a run that the board may not take any more keeps it from nothing else."""

from datetime import timedelta

import pytest
from django.utils import timezone

from dashboard.boards.labels import set_labels
from dashboard.boards.models import Board
from dashboard.boards.queue import claim_next, wakers
from dashboard.boards.reservations import reserve
from dashboard.boards.services import request_run
from dashboard.conversions.models import Artifact
from tests import factories
from tests.boards.queues import artifact_of, two_projects
from tests.claims import claim_with_board

pytestmark = pytest.mark.django_db


@pytest.fixture
def board() -> Board:
    return factories.make_board()


@pytest.fixture
def artifacts(board: Board) -> tuple[Artifact, Artifact]:
    return two_projects(board)


def test_a_run_for_a_board_that_its_project_lost_keeps_the_board_from_nothing(board, artifacts):
    lost, other = artifacts
    request_run(lost, board=board)
    board.projects.remove(lost.conversion.project)
    run = request_run(other)
    assert wakers() == [run.pk]


def test_a_run_for_a_board_that_lost_its_label_keeps_the_board_from_nothing(board, artifacts):
    one, other = artifacts
    set_labels(board, ["camera"], None)
    request_run(one, board=board, labels=["camera"])
    set_labels(board, [], None)
    run = request_run(other)
    assert wakers() == [run.pk]


def test_a_reserved_board_is_woken_though_its_holder_waits_for_another_platform_too(board, artifacts):
    holder = factories.owner_of(artifacts[0].conversion.project)
    reserve(board, holder, timezone.now() + timedelta(hours=1))
    strange = artifact_of(artifacts[0].conversion.project)
    Artifact.objects.filter(pk=strange.pk).update(platform="rk3588")
    strange.refresh_from_db()
    request_run(strange, user=holder)
    run = request_run(artifacts[0], user=holder)
    assert wakers() == [run.pk]


def test_the_reservation_of_a_person_who_is_deleted_ends(board, artifacts):
    holder = factories.make_member(artifacts[0].conversion.project)
    reserve(board, holder, timezone.now() + timedelta(hours=1))
    run = request_run(artifacts[1])
    holder.delete()
    assert claim_next(Board.objects.get(pk=board.pk), "worker") == run


def test_a_run_told_of_by_itself_takes_the_board_of_a_deleted_holder(board, artifacts):
    holder = factories.make_member(artifacts[0].conversion.project)
    reserve(board, holder, timezone.now() + timedelta(hours=1))
    holder.delete()
    assert claim_with_board(request_run(artifacts[1]), "worker")
