"""The database is the truth, the queue is a doorbell: nothing is lost or done twice, whatever is killed."""

import signal
import time
from collections.abc import Callable

import pytest

from dashboard.conversions.models import Artifact, Conversion
from dashboard.evaluations.models import Leg
from dashboard.jobs.models import Job, State
from dashboard.registry.models import Inspection
from dashboard.supervisor import kernel
from tests.chaos.stack import Stack
from tests.chaos.victims import toolkit_job
from tests.chaos.work import Work, jobs
from workers.jobfolder import SEPARATOR

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]
Until = Callable[[Callable[[], object]], None]
STOP_S = 8.0  # less than the ten seconds after which a container is killed


def all_ended() -> bool:
    return all(job.has_ended for job in jobs())


def states() -> set[str]:
    return {job.state for job in jobs()}


def running_conversion() -> Conversion | None:
    return Conversion.objects.filter(state=State.RUNNING).first()


def toolkit_of(stack: Stack, job: Job) -> int:
    """The process of the job's toolkit, 0 when there is none."""
    below = [pid for worker in stack.workers for pid in kernel.descendants(worker.pid)]
    return next((pid for pid in below if toolkit_job(pid) == f"{job.kind}-{job.pk}"), 0)


def freeze_conversion(stack: Stack, until: Until) -> Conversion:
    """The conversion that runs, its toolkit stopped, so that it runs until somebody does something."""
    until(lambda: (job := running_conversion()) and toolkit_of(stack, job))
    job = Conversion.objects.get(state=State.RUNNING)
    kernel.kill(toolkit_of(stack, job), signal.SIGSTOP)
    return job


def folders(stack: Stack) -> list[str]:
    return [
        path.name
        for name in ("jobs", "runs")
        for path in (stack.folder / "work" / name).glob(f"*{SEPARATOR}*")
    ]


def pool(stack: Stack) -> list[int]:
    return [pid for worker in stack.workers for pid in (worker.pid, *kernel.children(worker.pid))]


def test_an_evaluation_comes_to_its_verdict(work: Work, until: Until) -> None:
    work.ask(("direct",))
    until(lambda: all_ended() and not work.open_legs)
    assert (states(), Leg.objects.get().outcome) == ({State.SUCCEEDED}, "pass")


def test_an_emptied_redis_loses_nothing(work: Work, stack: Stack, until: Until) -> None:
    until(all_ended)
    for pid in pool(stack):
        kernel.kill(pid, signal.SIGSTOP)
    work.ask(("direct",))
    until(lambda: Inspection.objects.exclude(source=None).exclude(published_at=None).exists())
    with stack.client() as client:
        client.flushall()
    for pid in pool(stack):
        kernel.kill(pid, signal.SIGCONT)
    until(lambda: all_ended() and not work.open_legs)
    assert states() == {State.SUCCEEDED}


def test_redis_may_be_away_for_some_seconds(work: Work, stack: Stack, until: Until) -> None:
    stack.redis.end(signal.SIGKILL)
    work.ask(("direct",))
    time.sleep(3)
    stack.redis.start()
    until(lambda: all_ended() and not work.open_legs)
    assert states() == {State.SUCCEEDED}


def test_a_job_whose_worker_is_killed_is_taken_up_again(work: Work, stack: Stack, until: Until) -> None:
    work.ask(("direct",))
    job = freeze_conversion(stack, until)
    stack.workers[0].end(signal.SIGKILL)
    stack.keep()
    until(all_ended)
    job.refresh_from_db()
    assert (job.state, job.attempt, Artifact.objects.count()) == (State.SUCCEEDED, 2, 1)


def test_what_a_killed_worker_left_is_swept(work: Work, stack: Stack, until: Until) -> None:
    before = set(folders(stack))  # what an earlier test's killed worker left may not be swept yet
    work.ask(("direct",))
    freeze_conversion(stack, until)
    [folder] = set(folders(stack)) - before
    stack.workers[0].end(signal.SIGKILL)
    stack.keep()
    until(lambda: folder not in folders(stack))
    until(all_ended)


def test_a_killed_toolkit_is_tried_again(work: Work, stack: Stack, until: Until) -> None:
    work.ask(("direct",))
    job = freeze_conversion(stack, until)
    kernel.kill(toolkit_of(stack, job), signal.SIGKILL)
    until(all_ended)
    job.refresh_from_db()
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)


def test_a_job_that_takes_its_worker_along_each_time_ends_as_lost(
    work: Work, stack: Stack, until: Until
) -> None:
    work.ask(("direct",))
    for attempt in (1, 2, 3):
        until(lambda attempt=attempt: (job := running_conversion()) and job.attempt == attempt)  # type: ignore[misc]
        job = Conversion.objects.get()
        kernel.kill(int(job.owner.split(":")[1]), signal.SIGKILL)
    until(all_ended)
    job.refresh_from_db()
    assert (job.state, job.failure, job.attempt) == (State.FAILED, "system:lost", 3)


def test_doubled_messages_do_nothing(work: Work, until: Until, ring: Callable[[Job, int], None]) -> None:
    for job in jobs():
        ring(job, 5)
    until(all_ended)
    for job in jobs():
        ring(job, 5)
    work.ask(("direct",))
    until(lambda: all_ended() and not work.open_legs)
    assert {(job.state, job.attempt) for job in jobs()} == {(State.SUCCEEDED, 1)}


def test_a_cancelled_job_stops_its_toolkit(work: Work, stack: Stack, until: Until) -> None:
    work.ask(("direct",))
    job = freeze_conversion(stack, until)
    toolkit = toolkit_of(stack, job)
    job.cancel()
    until(all_ended)
    until(lambda: toolkit_job(toolkit) == "")
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_an_idle_worker_stops_at_once_when_asked(work: Work, stack: Stack, until: Until) -> None:
    until(all_ended)
    assert stack.workers[0].end(signal.SIGTERM, patience_s=30) < STOP_S


def test_a_busy_worker_stops_in_time_and_its_job_goes_on_elsewhere(
    work: Work, stack: Stack, until: Until
) -> None:
    work.ask(("direct",))
    job = freeze_conversion(stack, until)
    took = stack.workers[0].end(signal.SIGTERM, patience_s=30)
    stack.keep()
    until(all_ended)
    job.refresh_from_db()
    assert (took < STOP_S, job.state) == (True, State.SUCCEEDED)


def test_a_worker_whose_pool_hangs_stops_in_time_all_the_same(work: Work, stack: Stack, until: Until) -> None:
    """Celery joins the pool inside the signal's handler; a process that does not end would hold it there."""
    until(all_ended)
    worker = stack.workers[0]
    for pid in kernel.descendants(worker.pid):
        kernel.kill(pid, signal.SIGSTOP)
    took = worker.end(signal.SIGTERM, patience_s=30)
    stack.keep()
    assert took < STOP_S
