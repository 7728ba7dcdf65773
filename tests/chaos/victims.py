"""Which jobs a fault hits, and what became of them."""

import re
from pathlib import Path

from dashboard.jobs.models import ENDED, Job, State, kinds
from tests.chaos.processes import arguments

JOB = re.compile(r"([a-z]+-\d+)-\d+~")  # kind, row, attempt: JobFolder's label
Victim = tuple[type[Job], int, int]  # kind, row, attempt


def running_in(pool: list[int]) -> tuple[Victim, ...]:
    """The running jobs that these processes hold (their rows name the process)."""
    found = []
    for kind in kinds():
        for pk, owner, attempt in kind._default_manager.filter(state=State.RUNNING).values_list(
            "pk", "owner", "attempt"
        ):
            if int(owner.split(":")[1]) in pool:
                found.append((kind, pk, attempt))
    return tuple(found)


def is_given_back(job: Victim) -> bool:
    """Does the attempt that was hit hold the job no longer?"""
    kind, pk, attempt = job
    return not kind._default_manager.filter(pk=pk, attempt=attempt, state=State.RUNNING).exists()


def goes_on(job: Victim) -> bool:
    """Was the job taken up again, or has it ended?"""
    kind, pk, attempt = job
    row = kind._default_manager.filter(pk=pk).values_list("state", "attempt").first()
    return row is None or row[0] in ENDED or (row[0] == State.RUNNING and row[1] > attempt)


def toolkit_job(pid: int) -> str:
    """The job ("conversion-7") whose toolkit program this process is, "" when it is none.

    The probe of a toolkit at a worker's start ("probe-rknn2~...") is no job's program: its folder names no row.
    """
    words = arguments(pid)
    if len(words) < 6 or not words[4].startswith("workers.toolkits."):
        return ""
    named = JOB.match(Path(words[-1]).name)
    return named[1] if named else ""


def job_of(name: str) -> tuple[str, int, int]:
    """Kind, row and present attempt of the job called so."""
    word, _, pk = name.rpartition("-")
    kind = next(kind for kind in kinds() if kind.kind == word)
    return word, int(pk), kind._default_manager.get(pk=int(pk)).attempt
