"""Judge what a health check's run brought back: outputs bit by bit, time by its trend."""

from functools import partial

from dashboard.boards.models import RunResult
from dashboard.health.checks import keep_judgement, keep_unknown, sentence_of
from dashboard.health.judging import Unreadable, judge
from dashboard.health.models import HealthCheck
from dashboard.jobs.failures import failure
from workers.errors import JobError
from workers.lease import Lease
from workers.lifecycle import Keep


def check(check: HealthCheck, lease: Lease) -> Keep:
    """Compare with the golden model's outputs; what follows for the board is done when the job ends."""
    result: RunResult | None = RunResult.objects.filter(run=check.run_id).first()
    if result is None:
        run = check.run
        why = f"{failure(run.failure).title} ({run.failure}). {run.detail}" if run.failure else "no result"
        lease.log(f"the run has no result: {why}\n")
        return partial(keep_unknown, check, why)
    lease.stage("comparing outputs")
    try:
        found = judge(check, result)
    except Unreadable as error:
        raise JobError("system:file-missing", f"Outputs are damaged: {error}") from error
    check.outcome, check.evidence, check.median_us = found.outcome, found.evidence, found.median_us
    lease.log(f"{found.outcome}: {sentence_of(check)}\n")
    return partial(keep_judgement, check, found)
