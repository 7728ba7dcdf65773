"""Verbs about any job: note that a process lives, take back what is no longer renewed."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce, Now

from dashboard.jobs.models import Heartbeat, Job, State, in_seconds, kinds

MANY = 5
ALIVE_SECONDS = 30  # three heartbeats of ten seconds
SHARE = 0.2


def beat(
    name: str,
    role: str,
    queues: list[str] | None = None,
    offers: dict[str, Any] | None = None,
    is_first: bool = False,
) -> None:
    """Note that the process `name` lives, at the database's time; the first time, that it lives since now.

    What it offers stands in the same row as its queues, so that nobody sees the one without the other.
    """
    told = {"role": role, "queues": queues or [], "offers": offers or {}, "at": Now()}
    if is_first:
        told["since"] = Now()
    Heartbeat.objects.update_or_create(name=name, defaults=told)


def alive(role: str) -> QuerySet[Heartbeat]:
    """Processes of this role heard of within three heartbeats; one that ends well takes its row along."""
    return Heartbeat.objects.filter(role=role, at__gte=in_seconds(-ALIVE_SECONDS))


def gone(name: str) -> None:
    """The process `name` has ended."""
    Heartbeat.objects.filter(name=name).delete()


def note_published(job: Job) -> None:
    """Note that the hint went out, so that it is not repeated before LAYERWISE_RING_AGAIN_SECONDS."""
    type(job).objects.filter(pk=job.pk, state=State.QUEUED).update(published_at=Now())


def jobs_in_vain(kind: type[Job]) -> QuerySet[Any]:
    """Queued jobs that nobody took for LAYERWISE_QUEUE_SECONDS, counted from the last attempt if there was one."""
    queued: QuerySet[Any] = kind.objects.filter(state=State.QUEUED).alias(
        since=Coalesce("started_at", "created_at")
    )
    return queued.filter(since__lt=in_seconds(-settings.QUEUE_SECONDS)).defer("log")


@dataclass(frozen=True)
class Overdue:
    """How many losses are overdue, of how many that there can be.

    A worker of which nothing is renewed any more is one loss, however many jobs its threads did; of one that renews
    some of its jobs, each of the others counts.
    """

    overdue: int
    running: int

    @property
    def is_too_many(self) -> bool:
        """So many at once that the fault is more likely ours (database, clock) than theirs."""
        return self.overdue > MANY and self.overdue > SHARE * self.running


def overdue() -> Overdue:
    """Count what the sweeper would take back."""
    lost, kept = Counter[str](), Counter[str]()
    for kind in kinds():
        lost.update(kind.objects.unrenewed().values_list("owner", flat=True))
        kept.update(
            kind.objects.filter(state=State.RUNNING, lease_until__gte=Now()).values_list("owner", flat=True)
        )
    losses = {owner: count if owner in kept else 1 for owner, count in lost.items()}
    whole = sum(kept.values()) + sum(losses.values())
    return Overdue(sum(losses.values()), whole)


def take_back(job: Job) -> bool:
    """Queue an unrenewed job again, or fail it as lost when its attempts are used up; say whether it ended.

    The fence read with the row protects a job that was renewed, ended or taken over in between.
    """
    fence = job.fence
    with transaction.atomic():
        mine = type(job).objects.unrenewed().filter(pk=job.pk, owner=fence.owner, attempt=fence.attempt)
        if mine.select_for_update().only("pk").first() is None:
            return False
        if job.cancel_requested:
            return job.end_cancelled(fence)
        if job.put_back(fence, "The worker vanished; queued again."):
            return False
        return job.fail(fence, "system:lost", f"Lost {job.attempt} times; last worker: {job.owner}.")
