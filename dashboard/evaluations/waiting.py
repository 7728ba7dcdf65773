"""Why a queued job has not begun: its place in the queue, and who is missing. A fixed number of queries."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db.models import Count, Q

from dashboard.boards.models import Run
from dashboard.boards.waiting import Wait, waits_of
from dashboard.health.models import HealthCheck, TwinCheck
from dashboard.jobs.models import Job, State
from dashboard.jobs.services import alive
from dashboard.telemetry.sites import missing_worker, seen_at


def waits(jobs: Iterable[Job]) -> dict[Job, Wait]:
    """What every queued job among these waits for."""
    queued = [job for job in jobs if job.state == State.QUEUED]
    if not queued:
        return {}
    served = {queue for process in alive("worker") for queue in process.queues}
    runs = [job for job in queued if isinstance(job, Run)]
    seen = seen_at({run.site for run in runs})
    found: dict[Job, Wait] = {}
    for run, wait in waits_of(runs).items() if runs else ():
        found[run] = wait
    for kind in {type(job) for job in queued} - {Run}:
        found |= {
            job: Wait(count, "waiting for a free worker") for job, count in _before(kind, queued).items()
        }
    return {job: Wait(found[job].before, _reason(job, served, found[job].reason, seen)) for job in queued}


def wait_of(job: Job) -> Wait | None:
    """What one job waits for; None when it does not wait."""
    return waits([job]).get(job)


def _before(kind: type[Job], queued: list[Job]) -> dict[Job, int]:
    mine = [job for job in queued if type(job) is kind]
    counts = kind.objects.filter(state=State.QUEUED).aggregate(
        **{f"n{job.pk}": Count("pk", filter=Q(pk__lt=job.pk)) for job in mine}
    )
    return {job: counts[f"n{job.pk}"] for job in mine}


def _reason(job: Job, served: set[str], reason: str, seen: Mapping[str, datetime]) -> str:
    if isinstance(job, HealthCheck | TwinCheck) and not job.is_ready:
        return "waiting for its run on the board"
    if job.queue not in served and isinstance(job, Run):
        reason = missing_worker(job.site, seen.get(job.site))
    elif job.queue not in served:
        reason = f"no worker serves the queue {job.queue}"
    if job.attempt:
        return f"put back after attempt {job.attempt} ({job.detail or 'it is tried again'}): {reason}"
    return reason
