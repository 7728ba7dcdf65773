"""The one place that takes a job from queued to an end: claim, keep the lease, run the step, always end."""

import logging
import os
import secrets
import socket
from collections.abc import Callable
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError, transaction

from dashboard.files import Missing, StoreAway, StoreFull
from dashboard.jobs.failures import failure
from dashboard.jobs.models import Fence, Job
from dashboard.pipeline import advance
from workers.errors import Final, JobError, LeaseLost, Temporary, is_death
from workers.lease import Lease

logger = logging.getLogger(__name__)
J = TypeVar("J", bound=Job)
Keep = Callable[[], object]
Step = Callable[[J, Lease], Keep]
PROCESS = secrets.token_hex(4)
# before another try: a board that recovered may wait for just this job, which may have had to notice 20 s of silence
LONGEST_DELAY_S = 5.0


def this_worker() -> str:
    """Host, process and a random part: a process id comes back after a restart, this does not."""
    return f"{socket.gethostname()}:{os.getpid()}:{PROCESS}"


def claim(job: Job, owner: str) -> bool:
    """The ordinary way to take a queued job."""
    return job.claim(owner)


def work(job: J, step: Step[J], claim: Callable[[J, str], bool] = claim) -> None:
    """Take `job` from queued to an end, whatever `step` does.

    The step returns what writes its facts; that happens in the transaction that ends the job, so that a worker whose
    lease went to somebody else can store nothing.
    """
    if claim(job, this_worker()):  # else delivered twice, or cancelled while it waited
        carry_out(job, step)


def carry_out(job: J, step: Step[J]) -> None:
    """Take a job that this worker has claimed to an end: see `work`."""
    fence = job.fence
    with structlog.contextvars.bound_contextvars(job=str(job), attempt=fence.attempt):
        logger.info("started")
        _run(job, step, fence)
        logger.info("ended: %s %s", job.state, job.failure)


def _run(job: J, step: Step[J], fence: Fence) -> None:
    with Lease(job, fence) as lease:
        try:
            keep = step(job, lease)
            lease.check()
            lease.flush()
        except LeaseLost:
            _stop(job, lease)
            return
        except Exception as error:
            # what fails after the job was taken away, or because this worker ends, says nothing about it
            if lease.is_let_go or not job.renew(fence):
                _stop(job, lease)
                return
            code, detail, again = explain(error, job)
            lease.log(f"{code}: {detail}\n")
            lease.flush()
            _fail(job, fence, code, detail, again)
            return
    _finish(job, fence, keep)


def _stop(job: Job, lease: Lease) -> None:
    """The job is another worker's by now, which is none of our business, or somebody cancelled it, or we end."""
    job.refresh_from_db(fields=["cancel_requested"])
    if job.cancel_requested:
        _end(job, lambda: job.end_cancelled(lease.fence))
    elif lease.is_let_go:
        job.put_back(lease.fence, "The worker was stopped; queued again.", refund=True)


def _finish(job: Job, fence: Fence, keep: Keep) -> None:
    """Store the facts and the end together; facts that cannot be stored are a failure of their own."""

    def succeed() -> bool:
        if job.succeed(fence):
            keep()
            return True
        return False

    try:
        _end(job, succeed)
    except Exception as error:
        code, detail, again = explain(error, job)
        job.refresh_from_db()
        _fail(job, fence, code, detail, again)


def _fail(job: Job, fence: Fence, code: str, detail: str, again: bool) -> None:
    """Put the job back when another try may help, else end it."""
    if again and job.put_back(fence, f"{code}: {detail}", delay=min(2.0**fence.attempt, LONGEST_DELAY_S)):
        logger.warning("put back: %s %s", code, detail)
        return
    _end(job, lambda: job.fail(fence, code, detail))


def _end(job: Job, move: Callable[[], bool]) -> None:
    with transaction.atomic():
        if move():
            advance(job)


def explain(error: Exception, job: Job) -> tuple[str, str, bool]:  # noqa: PLR0911 - a case a line
    """The failure code, the detail, and whether another try may help.

    A toolkit that died is tried once more: somebody else may have killed it, a second death is its own. What the
    job was put back for is still in its `detail`; attempts that ended otherwise (a lost worker) do not count.
    """
    match error:
        case Temporary():
            return error.code, error.detail, True
        case Final():
            return error.code, error.detail, False
        case JobError() if is_death(error):
            return error.code, error.detail, not job.detail.startswith(f"{error.code}: ")
        case JobError():
            return error.code, error.detail, failure(error.code).is_retried
        case StoreFull():
            return "system:store-full", str(error), False
        case StoreAway():
            return "system:store-away", str(error), True
        case OperationalError() | InterfaceError():
            return "system:database-away", f"{type(error).__name__}: {error}"[:500], True
        case Missing():
            return "system:file-missing", f"The store has no file {error}.", False
    logger.exception("the step crashed", exc_info=error)
    return "system:bug", f"{type(error).__name__}: {error}"[:500], False
