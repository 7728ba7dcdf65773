"""How a job's state moves: claims, fences, leases, putting back, cancelling."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from dashboard.jobs.models import Fence, Job, State
from dashboard.registry.models import Inspection
from tests.factories import make_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def job() -> Inspection:
    return make_version(inspected=False).sources.get().inspection


def expire(job: Job) -> None:
    type(job).objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_claim_starts_the_job_and_counts_the_attempt(job: Inspection) -> None:
    job.claim("worker")
    assert (job.state, job.attempt, job.owner) == (State.RUNNING, 1, "worker")


def test_a_second_claim_is_refused(job: Inspection) -> None:
    job.claim("worker")
    assert not job.claim("another")


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_at_once_exactly_one_gets_the_job() -> None:
    job = make_version(inspected=False).sources.get().inspection
    won: list[int] = []

    def try_it(number: int) -> None:
        if Inspection.objects.get(pk=job.pk).claim(f"worker {number}"):
            won.append(number)
        connection.close()

    threads = [threading.Thread(target=try_it, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_a_claimed_job_carries_a_lease(job: Inspection) -> None:
    job.claim("worker")
    assert job.lease_until is not None
    assert job.lease_until > timezone.now()


def test_a_worker_with_an_old_fence_cannot_succeed(job: Inspection) -> None:
    job.claim("worker")
    old = job.fence
    job.put_back(old)
    job.claim("another")
    assert not job.succeed(old)


def test_a_worker_with_an_old_fence_cannot_renew(job: Inspection) -> None:
    job.claim("worker")
    assert not job.renew(Fence("worker", 2))


def test_a_job_put_back_is_queued_at_once(job: Inspection) -> None:
    job.claim("worker")
    job.put_back(job.fence, "link lost")
    assert Inspection.objects.to_ring().filter(pk=job.pk).exists()


def test_a_job_put_back_with_a_delay_waits(job: Inspection) -> None:
    job.claim("worker")
    job.put_back(job.fence, delay=30)
    assert not Inspection.objects.to_ring().filter(pk=job.pk).exists()


def test_a_job_is_not_put_back_when_its_attempts_are_used_up(job: Inspection, settings: Settings) -> None:
    settings.MAX_ATTEMPTS = 1
    job.claim("worker")
    assert not job.put_back(job.fence)


def test_a_refunded_attempt_does_not_count(job: Inspection) -> None:
    job.claim("worker")
    job.put_back(job.fence, refund=True)
    assert job.attempt == 0


def test_a_queued_job_is_cancelled_at_once(job: Inspection) -> None:
    job.cancel()
    assert (job.state, job.failure) == (State.CANCELLED, "job:cancelled")


def test_a_cancelled_running_job_may_not_renew(job: Inspection) -> None:
    job.claim("worker")
    fence = job.fence
    job.cancel()
    assert not job.renew(fence)


def test_a_cancelled_running_job_is_not_put_back(job: Inspection) -> None:
    job.claim("worker")
    fence = job.fence
    job.cancel()
    assert not job.put_back(fence)


def test_an_ended_job_does_not_move_again(job: Inspection) -> None:
    job.claim("worker")
    fence = job.fence
    job.succeed(fence)
    assert not any((job.fail(fence, "system:bug"), job.put_back(fence), job.cancel(), job.claim("another")))


def test_the_log_keeps_its_end(job: Inspection) -> None:
    job.claim("worker")
    job.add_to_log(job.fence, "x" * 200_000)
    job.add_to_log(job.fence, "the end")
    job.refresh_from_db()
    assert (len(job.log), job.log[-7:]) == (200_000, "the end")


def test_a_published_job_is_not_rung_again_at_once(job: Inspection) -> None:
    Inspection.objects.filter(pk=job.pk).update(published_at=timezone.now())
    assert not Inspection.objects.to_ring().filter(pk=job.pk).exists()


def test_a_job_that_nobody_claimed_is_rung_again(job: Inspection, settings: Settings) -> None:
    long_ago = timezone.now() - timedelta(seconds=settings.RING_AGAIN_SECONDS + 1)
    Inspection.objects.filter(pk=job.pk).update(published_at=long_ago)
    assert Inspection.objects.to_ring().filter(pk=job.pk).exists()


def test_a_renewed_job_is_not_taken_for_lost(job: Inspection) -> None:
    job.claim("worker")
    expire(job)
    job.renew(job.fence)
    assert not Inspection.objects.unrenewed().exists()


def test_an_expired_lease_is_found(job: Inspection) -> None:
    job.claim("worker")
    expire(job)
    assert Inspection.objects.unrenewed().get() == job


def test_who_was_never_told_of_comes_before_who_was(settings: Settings) -> None:
    settings.RING_AGAIN_SECONDS = 0
    old = make_version(inspected=False).sources.get().inspection
    new = make_version(inspected=False).sources.get().inspection
    Inspection.objects.filter(pk=old.pk).update(published_at=timezone.now() - timedelta(seconds=9))
    assert list(Inspection.objects.to_ring()) == [new, old]
