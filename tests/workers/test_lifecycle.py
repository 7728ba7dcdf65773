"""From queued to an end, whatever the step does."""

import threading
from collections.abc import Callable

import pytest
from django.db import InterfaceError, OperationalError
from pytest_django.fixtures import Settings

from dashboard.jobs.models import STORING_SECONDS, Fence, State
from dashboard.registry.models import Inspection
from tests.factories import make_version
from workers.errors import Died, JobError, LeaseLost, Temporary
from workers.lease import Keeper, Lease
from workers.lifecycle import Keep, work

# the lease's thread has a connection of its own, so the rows must really be committed
pytestmark = pytest.mark.django_db(transaction=True)
WAIT = 10


@pytest.fixture
def job() -> Inspection:
    return make_version(inspected=False).sources.get().inspection


def nothing() -> None:
    """What a step keeps that has nothing to keep."""


def raising(error: Exception) -> Callable[[Inspection, Lease], Keep]:
    def step(job: Inspection, lease: Lease) -> Keep:
        raise error

    return step


def stored(job: Inspection) -> Inspection:
    return Inspection.objects.get(pk=job.pk)


def test_a_step_that_returns_ends_well(job: Inspection) -> None:
    work(job, lambda job, lease: nothing)
    assert stored(job).state == State.SUCCEEDED


def test_facts_are_kept_when_the_job_succeeds(job: Inspection) -> None:
    work(job, lambda job, lease: lambda: Inspection.objects.filter(pk=job.pk).update(report={"nodes": 1}))
    assert stored(job).report == {"nodes": 1}


def test_a_worker_that_lost_the_job_stores_nothing(job: Inspection) -> None:
    def step(job: Inspection, lease: Lease) -> Keep:
        job.put_back(lease.fence)  # what the sweeper would do
        return lambda: Inspection.objects.filter(pk=job.pk).update(report={"nodes": 1})

    work(job, step)
    assert (stored(job).state, stored(job).report) == (State.QUEUED, {})


def test_facts_that_cannot_be_stored_leave_no_success_behind(job: Inspection) -> None:
    def step(job: Inspection, lease: Lease) -> Keep:
        def keep() -> None:
            raise JobError("toolkit:bad-result", "two layers of one name")

        return keep

    work(job, step)
    assert (stored(job).state, stored(job).failure) == (State.FAILED, "toolkit:bad-result")


def test_a_user_s_mistake_is_not_tried_again(job: Inspection) -> None:
    work(job, raising(JobError("model:not-onnx", "it is a picture")))
    assert (stored(job).state, stored(job).failure) == (State.FAILED, "model:not-onnx")


def test_a_lost_link_is_tried_again(job: Inspection) -> None:
    work(job, raising(Temporary("board:link-lost", "cut")))
    assert stored(job).state == State.QUEUED


def test_trying_again_ends_with_the_attempts(job: Inspection, settings: Settings) -> None:
    settings.MAX_ATTEMPTS = 1
    work(job, raising(Temporary("board:link-lost", "cut")))
    assert (stored(job).state, stored(job).failure) == (State.FAILED, "board:link-lost")


def test_an_unexpected_error_is_called_our_own(job: Inspection) -> None:
    work(job, raising(ZeroDivisionError("x")))
    assert stored(job).failure == "system:bug"


def test_a_job_that_is_running_elsewhere_is_left_alone(job: Inspection) -> None:
    job.claim("another")
    ran = []
    work(Inspection.objects.get(pk=job.pk), lambda job, lease: ran.append(1) or nothing)
    assert not ran


def test_the_lease_is_renewed_while_the_step_runs(job: Inspection, settings: Settings) -> None:
    settings.LEASE_SECONDS = 2
    seen = []

    def step(job: Inspection, lease: Lease) -> Keep:
        first = stored(job).lease_until
        for _ in range(WAIT * 10):
            if stored(job).lease_until != first:
                seen.append(True)
                break
            threading.Event().wait(0.1)
        return nothing

    work(job, step)
    assert seen == [True]


def test_a_step_that_hangs_beyond_every_limit_loses_its_job(job: Inspection, settings: Settings) -> None:
    settings.LEASE_SECONDS = 2
    settings.TOOLKIT_SECONDS = -STORING_SECONDS  # the longest life is over as it begins
    noticed = threading.Event()

    def step(job: Inspection, lease: Lease) -> Keep:
        if lease.lost.wait(WAIT):
            noticed.set()
        lease.check()
        return nothing

    work(job, step)
    assert (noticed.is_set(), stored(job).state) == (True, State.RUNNING)  # until the sweeper takes it back


def test_a_cancelled_job_stops_and_ends_as_cancelled(job: Inspection, settings: Settings) -> None:
    settings.LEASE_SECONDS = 2

    def step(job: Inspection, lease: Lease) -> Keep:
        stored(job).cancel()
        assert lease.lost.wait(WAIT)
        raise LeaseLost

    work(job, step)
    assert stored(job).state == State.CANCELLED


def test_progress_and_log_reach_the_row_while_the_step_runs(job: Inspection) -> None:
    seen = []

    def step(job: Inspection, lease: Lease) -> Keep:
        lease.stage("calibrating", 3, 8)
        lease.log("hello\n")
        for _ in range(WAIT * 10):
            row = stored(job)
            if row.stage and row.log:  # two updates, one after the other
                seen.append((row.stage, row.stage_done, row.stage_total, row.log))
                break
            threading.Event().wait(0.1)
        return nothing

    work(job, step)
    assert seen == [("calibrating", 3, 8, "hello\n")]


def test_a_failure_is_told_in_the_log(job: Inspection) -> None:
    work(job, raising(JobError("model:not-onnx", "it is a picture")))
    assert "it is a picture" in stored(job).log


def test_a_toolkit_that_died_is_tried_once_more(job: Inspection) -> None:
    work(job, raising(Died("model:too-complex", "signal 9")))
    assert stored(job).state == State.QUEUED


def test_a_toolkit_that_dies_again_is_to_blame_itself(job: Inspection) -> None:
    for _ in range(2):
        Inspection.objects.update(not_before=None)
        work(stored(job), raising(Died("model:too-complex", "signal 9")))
    assert (stored(job).state, stored(job).failure) == (State.FAILED, "model:too-complex")


def test_a_worker_lost_before_does_not_count_as_the_toolkit_s_death(job: Inspection) -> None:
    job.claim("worker that is killed")
    job.put_back(job.fence, "The worker vanished; queued again.")
    work(stored(job), raising(Died("toolkit:crashed", "signal 9")))
    assert stored(job).state == State.QUEUED


def test_a_job_that_succeeds_says_no_more_why_it_was_put_back(job: Inspection) -> None:
    job.claim("another")
    job.put_back(job.fence, "The worker vanished; queued again.")
    work(stored(job), lambda job, lease: nothing)
    assert stored(job).detail == ""


def test_what_fails_after_the_job_was_taken_away_is_not_its_failure(job: Inspection) -> None:
    def step(job: Inspection, lease: Lease) -> Keep:
        job.put_back(lease.fence)  # what the sweeper would do
        raise FileNotFoundError("the sweeper took the folder as well")

    work(job, step)
    assert (stored(job).state, stored(job).failure, stored(job).log) == (State.QUEUED, "", "")


def test_a_job_that_fails_while_it_is_being_cancelled_ends_as_cancelled(job: Inspection) -> None:
    def step(job: Inspection, lease: Lease) -> Keep:
        stored(job).cancel()
        raise ZeroDivisionError

    work(job, step)
    assert stored(job).state == State.CANCELLED


def test_a_database_that_was_away_is_no_bug(job: Inspection) -> None:
    work(job, raising(OperationalError("deadlock detected")))
    assert (stored(job).state, stored(job).detail) == (
        State.QUEUED,
        "system:database-away: OperationalError: deadlock detected",
    )


def test_progress_that_cannot_be_stored_does_not_end_the_renewing(
    job: Inspection, settings: Settings
) -> None:
    settings.LEASE_SECONDS = 2
    seen = []

    def step(job: Inspection, lease: Lease) -> Keep:
        lease.log("\ud800")  # a lone surrogate: no database takes it
        first = stored(job).lease_until
        for _ in range(WAIT * 10):
            if stored(job).lease_until != first:
                seen.append(True)
                break
            threading.Event().wait(0.1)
        return nothing

    work(job, step)
    assert seen == [True]


class Away(Inspection):
    """A row whose connection was closed the first time that its lease is renewed."""

    asked = 0

    class Meta:
        proxy = True
        app_label = "registry"

    def renew(self, fence: Fence) -> bool:
        Away.asked += 1
        if Away.asked == 1:
            raise InterfaceError("connection already closed")
        return super().renew(fence)


def test_a_connection_that_was_closed_does_not_end_the_renewing(job: Inspection, settings: Settings) -> None:
    settings.LEASE_SECONDS = 2
    away = Away.objects.get(pk=job.pk)
    seen = []

    def step(job: Inspection, lease: Lease) -> Keep:
        for _ in range(WAIT * 10):
            if Away.asked >= 3:
                seen.append(True)
                break
            threading.Event().wait(0.1)
        return nothing

    work(away, step)
    assert seen == [True]


def test_a_job_that_begins_while_the_worker_ends_is_let_go_at_once(job: Inspection) -> None:
    keeper = Keeper()
    keeper.let_go()
    assert job.claim("a worker")
    lease = Lease(job, job.fence)
    keeper.add(lease)
    keeper.remove(lease)
    assert lease.is_lost()
