"""The dispatcher's sweep: what it takes back, what it ends, and when it holds back."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from dashboard.boards.models import Board
from dashboard.dispatch import Dispatcher
from dashboard.jobs.models import Job, State
from dashboard.registry.models import Inspection
from tests.factories import make_board, make_model, make_queued_run, make_version

pytestmark = pytest.mark.django_db


def running(count: int, expired: int) -> list[Inspection]:
    """Claimed inspections of one model, the first `expired` of them with leases that ran out."""
    model = make_model()
    jobs = [make_version(model, inspected=False).sources.get().inspection for _ in range(count)]
    for job in jobs:
        job.claim("worker")
    past = timezone.now() - timedelta(seconds=1)
    Inspection.objects.filter(pk__in=[job.pk for job in jobs[:expired]]).update(lease_until=past)
    return jobs


def states(jobs: list[Inspection]) -> list[str]:
    for job in jobs:
        job.refresh_from_db()
    return [job.state for job in jobs]


def test_a_lost_job_is_queued_again() -> None:
    jobs = running(3, expired=1)
    Dispatcher().sweep()
    assert states(jobs) == [State.QUEUED, State.RUNNING, State.RUNNING]


def test_a_job_lost_too_often_ends_as_lost(settings: Settings) -> None:
    settings.MAX_ATTEMPTS = 1
    [job] = running(1, expired=1)
    Dispatcher().sweep()
    job.refresh_from_db()
    assert (job.state, job.failure) == (State.FAILED, "system:lost")


def test_a_lost_job_that_was_cancelled_ends_as_cancelled() -> None:
    [job] = running(1, expired=1)
    job.cancel()
    Dispatcher().sweep()
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_many_lost_jobs_at_once_are_not_touched_at_first() -> None:
    jobs = running(10, expired=8)
    Dispatcher().sweep()
    assert states(jobs) == [State.RUNNING] * 10


def test_what_is_still_unrenewed_a_lease_later_is_taken_back(settings: Settings) -> None:
    jobs = running(10, expired=8)
    settings.LEASE_SECONDS = 0
    dispatcher = Dispatcher()
    dispatcher.sweep()
    dispatcher.sweep()
    assert states(jobs) == [State.QUEUED] * 8 + [State.RUNNING] * 2


def test_a_job_nobody_can_do_ends_some_day(settings: Settings) -> None:
    job: Job = make_version(inspected=False).sources.get().inspection
    settings.QUEUE_SECONDS = 0
    type(job).objects.update(created_at=timezone.now() - timedelta(seconds=5))
    Dispatcher().sweep()
    job.refresh_from_db()
    assert (job.state, job.failure) == (State.FAILED, Inspection.in_vain)


def test_no_board_is_left_held_when_its_run_is_taken_back() -> None:
    board: Board = make_board()
    run = make_queued_run(board=board)
    run.claim("worker")
    run.hold(board)
    type(run).objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    Dispatcher().sweep()
    board.refresh_from_db()
    assert board.run_id is None


def test_a_job_put_back_lately_is_not_given_up_for_its_age(settings: Settings) -> None:
    [job] = running(1, expired=0)
    job.put_back(job.fence)
    settings.QUEUE_SECONDS = 3600
    type(job).objects.update(created_at=timezone.now() - timedelta(seconds=7200))
    Dispatcher().sweep()
    assert states([job]) == [State.QUEUED]


def test_a_dead_worker_of_many_threads_is_one_loss() -> None:
    jobs = running(20, expired=0)
    threads = [job.pk for job in jobs[:12]]
    past = timezone.now() - timedelta(seconds=1)
    Inspection.objects.filter(pk__in=threads).update(owner="a dead worker", lease_until=past)
    Dispatcher().sweep()
    assert states(jobs) == [State.QUEUED] * 12 + [State.RUNNING] * 8


def test_many_dead_workers_at_once_are_not_believed_at_first() -> None:
    jobs = running(10, expired=8)
    for number, job in enumerate(jobs):
        Inspection.objects.filter(pk=job.pk).update(owner=f"worker {number}")
    Dispatcher().sweep()
    assert states(jobs) == [State.RUNNING] * 10
