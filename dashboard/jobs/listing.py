"""Lists of jobs of all kinds: newest first, one indexed query a kind, read on by a cursor."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Q, QuerySet

from dashboard.jobs.models import Job, JobQuerySet, kinds

# what a job's title reads, by the kind's word, so that a list of titles is one query
TITLE_NEEDS = {
    "inspection": ("source", "input_set"),
    "conversion": ("source__version__model", "recipe"),
    "run": (
        "artifact__conversion__source__version__model",
        "artifact__conversion__recipe",
        "board",
        "wanted_board",
    ),
    "comparison": ("reference", "candidate"),
    "probe": ("board", "registration"),
    "check": ("board",),
    "twin": ("first_run__wanted_board", "second_run__wanted_board"),
    "power": ("board",),
    "import": ("project",),
}
HEAVY = {
    "comparison": ("reference__layers", "candidate__layers"),
    "run": ("board__private_key", "wanted_board__private_key"),
    "probe": ("board__private_key", "registration__private_key"),
    "check": ("board__private_key", "board__fingerprint"),
    "twin": ("first_run__log", "second_run__log"),
    "power": ("board__private_key", "board__fingerprint"),
}

Q_ = TypeVar("Q_", bound=QuerySet[Any])


def with_titles(jobs: Q_) -> Q_:
    """The jobs with everything their titles read, without logs and other heavy columns."""
    word = jobs.model.kind
    return jobs.select_related(*TITLE_NEEDS[word]).defer("log", *HEAVY.get(word, ()))


@dataclass(frozen=True)
class Cursor:
    """Where a page of the list ends: the last job shown."""

    at: datetime
    kind: str
    pk: int

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """The cursor that `str` wrote; None for anything else."""
        try:
            at, kind, pk = text.split("~")
            moment = datetime.fromisoformat(at)
            return cls(moment, kind, int(pk)) if moment.tzinfo and int(pk) < 1 << 63 else None
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.at.isoformat()}~{self.kind}~{self.pk}"

    def older(self, kind: str) -> Q:
        """What of this kind comes after the cursor, in the order (newest, kind, newest row)."""
        before = Q(created_at__lt=self.at)
        if kind < self.kind:
            return before
        same = Q(created_at=self.at)
        return before | (same & Q(pk__lt=self.pk) if kind == self.kind else same)


@dataclass(frozen=True)
class JobsPage:
    jobs: Sequence[Job]
    next: Cursor | None


def newest(
    user: Any, kind: str = "", state: str = "", after: Cursor | None = None, size: int = 50
) -> JobsPage:
    """A page of the user's jobs, of one kind or all, in one state or any."""
    wanted = [one for one in kinds() if kind in {"", one.kind}]
    found = [job for one in wanted for job in _of_kind(one, user, state, after)[: size + 1]]
    found.sort(key=lambda job: (-job.created_at.timestamp(), job.kind, -job.pk))
    page = found[:size]
    last = page[-1] if len(found) > size else None
    return JobsPage(page, Cursor(last.created_at, last.kind, last.pk) if last else None)


def _of_kind(kind: type[Job], user: Any, state: str, after: Cursor | None) -> JobQuerySet:
    rows: JobQuerySet = with_titles(kind.objects.visible_to(user)).select_related("project")
    rows = rows.filter(state=state) if state else rows
    rows = rows.filter(after.older(kind.kind)) if after else rows
    return rows.order_by("-created_at", "-pk")


def words() -> list[str]:
    """The kinds' words, for the filter."""
    return [kind.kind for kind in kinds()]
