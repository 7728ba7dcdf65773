"""A job's moves: who may claim, who may go on, what is taken back, and that a late worker is refused."""

from datetime import timedelta

import pytest
from django.utils import timezone

from dashboard.jobs.failures import ALL, FAILURES, failure
from dashboard.jobs.models import LOG_CHARACTERS, Fence, State, kind_named, kinds
from dashboard.jobs.services import alive, beat, jobs_in_vain, note_published, overdue, take_back
from dashboard.layers.models import Comparison
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def job():
    """A queued job."""
    return factories.make_conversion()


def expire(job) -> None:
    type(job).objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def state(job) -> str:
    return type(job).objects.get(pk=job.pk).state


def test_a_queued_job_is_claimed_once(job):
    other = type(job).objects.get(pk=job.pk)
    assert (job.claim("a"), other.claim("b")) == (True, False)


def test_a_claim_counts_the_attempt(job):
    job.claim("a")
    assert job.fence == Fence("a", 1)


@pytest.mark.parametrize("move", ["renew", "succeed", "end_cancelled", "put_back"])
def test_another_owner_cannot_move_the_job(job, move):
    job.claim("a")
    assert not getattr(job, move)(Fence("b", 1))


@pytest.mark.parametrize("move", ["renew", "succeed", "end_cancelled", "put_back"])
def test_a_worker_that_wakes_up_late_cannot_move_the_job(job, move):
    job.claim("a")
    late = job.fence
    job.put_back(late)
    job.claim("a")
    assert not getattr(job, move)(late)


@pytest.mark.parametrize("move", ["claim", "cancel"])
def test_an_ended_job_does_not_move(job, move):
    factories.succeed(job)
    assert not (job.claim("b") if move == "claim" else job.cancel())


def test_a_job_that_was_put_back_can_be_claimed(job):
    job.claim("a")
    job.put_back(job.fence)
    assert job.claim("b")


def test_a_job_is_put_back_only_while_attempts_are_left(job, settings):
    settings.MAX_ATTEMPTS = 1
    job.claim("a")
    assert not job.put_back(job.fence)


def test_an_attempt_that_never_began_is_not_counted(job, settings):
    settings.MAX_ATTEMPTS = 1
    job.claim("a")
    job.put_back(job.fence, refund=True)
    assert job.attempt == 0


def test_a_cancelled_queued_job_has_ended(job):
    job.cancel()
    assert (job.state, job.failure) == (State.CANCELLED, "job:cancelled")


def test_a_cancelled_running_job_loses_its_lease(job):
    job.claim("a")
    job.cancel()
    assert not job.renew(job.fence)


def test_a_failure_is_kept_with_its_words(job):
    factories.fail(job, "toolkit:crashed", "signal 11")
    assert (job.why.title, job.detail) == (FAILURES["toolkit:crashed"].title, "signal 11")


def test_the_log_keeps_its_end(job):
    job.claim("a")
    job.add_to_log(job.fence, "x" * LOG_CHARACTERS)
    job.add_to_log(job.fence, "the end")
    job.refresh_from_db()
    assert (len(job.log), job.log[-7:]) == (LOG_CHARACTERS, "the end")


def test_a_log_line_of_a_late_worker_is_not_kept(job):
    job.claim("a")
    assert not job.add_to_log(Fence("b", 1), "late")


def test_a_queued_job_is_rung_for(job):
    assert job in type(job).objects.to_ring()


def test_a_job_that_was_just_published_is_not_rung_for_again(job):
    note_published(job)
    assert job not in type(job).objects.to_ring()


def test_a_job_that_nobody_took_is_rung_for_again(job, settings):
    note_published(job)
    settings.RING_AGAIN_SECONDS = -1
    assert job in type(job).objects.to_ring()


def test_a_job_that_must_wait_is_not_rung_for(job):
    job.claim("a")
    job.put_back(job.fence, delay=60)
    assert job not in type(job).objects.to_ring()


def test_a_renewed_job_is_not_taken_back(job):
    job.claim("a")
    expire(job)
    seen = type(job).objects.unrenewed().get()
    job.renew(job.fence)
    assert (take_back(seen), state(job)) == (False, State.RUNNING)


def test_a_job_that_is_no_longer_renewed_is_queued_again(job):
    job.claim("a")
    expire(job)
    take_back(type(job).objects.unrenewed().get())
    assert state(job) == State.QUEUED


def test_a_job_that_was_lost_too_often_fails(job, settings):
    settings.MAX_ATTEMPTS = 1
    job.claim("a")
    expire(job)
    assert take_back(type(job).objects.unrenewed().get())
    job.refresh_from_db()
    assert (job.state, job.failure) == (State.FAILED, "system:lost")


def test_a_lost_job_that_somebody_cancelled_is_cancelled(job):
    job.claim("a")
    job.cancel()
    expire(job)
    take_back(type(job).objects.unrenewed().get())
    assert state(job) == State.CANCELLED


def test_many_lost_jobs_at_once_look_like_our_own_fault():
    project = factories.make_project()
    for number in range(6):
        dumps = factories.make_dump(project), factories.make_dump(project)
        job = Comparison.objects.create(project=project, reference=dumps[0], candidate=dumps[1])
        job.claim(f"worker {number}")
        expire(job)
    assert overdue().is_too_many


def test_a_few_lost_jobs_are_just_lost(job):
    job.claim("a")
    expire(job)
    assert not overdue().is_too_many


def test_a_job_that_waited_too_long_waited_in_vain(job, settings):
    settings.QUEUE_SECONDS = -1
    assert job in jobs_in_vain(type(job))


def test_a_process_that_beats_is_alive():
    beat("w1", "worker", ["inspect"])
    assert alive("worker").get().queues == ["inspect"]


def test_every_kind_of_job_is_found_by_its_word():
    assert {kind.kind: kind_named(kind.kind) for kind in kinds()} == {kind.kind: kind for kind in kinds()}


def test_every_failure_code_is_declared_once():
    assert len({one.code for one in ALL}) == len(ALL)


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.code)
def test_every_failure_says_what_to_do(one):
    assert one.title and one.advice and ":" in one.code and len(one.code) <= 40


@pytest.mark.parametrize(
    ("code", "again"),
    [("board:link-lost", True), ("system:store-full", True), ("model:invalid", False), ("system:bug", False)],
)
def test_only_infrastructure_is_tried_again(code, again):
    assert failure(code).is_retried is again


def test_an_undeclared_code_reads_like_our_own_bug():
    assert failure("odd:thing").title == FAILURES["system:bug"].title
