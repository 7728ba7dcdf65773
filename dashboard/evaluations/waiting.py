"""Why a queued job has not begun: its place in the queue, and who is missing. A fixed number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Q

from dashboard.boards.models import Board, BoardState, Run
from dashboard.jobs.models import Job, State
from dashboard.jobs.services import alive


@dataclass(frozen=True)
class Wait:
    """How many queued jobs of its kind stand before it (0: it is next), and why it waits."""

    before: int
    reason: str


def waits(jobs: Iterable[Job]) -> dict[Job, Wait]:
    """What every queued job among these waits for."""
    queued = [job for job in jobs if job.state == State.QUEUED]
    if not queued:
        return {}
    served = {queue for process in alive("worker") for queue in process.queues}
    boards = list(
        Board.objects.filter(projects__in={job.project_id for job in queued}).select_related("run").distinct()
    )
    before = {
        job: count for kind in {type(job) for job in queued} for job, count in _before(kind, queued).items()
    }
    return {job: Wait(before[job], _reason(job, served, boards)) for job in queued}


def wait_of(job: Job) -> Wait | None:
    """What one job waits for; None when it does not wait."""
    return waits([job]).get(job)


def _before(kind: type[Job], queued: list[Job]) -> dict[Job, int]:
    mine = [job for job in queued if type(job) is kind]
    counts = kind.objects.filter(state=State.QUEUED).aggregate(
        **{f"n{job.pk}": Count("pk", filter=Q(pk__lt=job.pk)) for job in mine}
    )
    return {job: counts[f"n{job.pk}"] for job in mine}


def _reason(job: Job, served: set[str], boards: list[Board]) -> str:
    if job.attempt:
        return f"put back after attempt {job.attempt}: {job.detail or 'it is tried again'}"
    if job.queue not in served:
        return f"no worker serves the queue {job.queue}"
    return _board_reason(job, boards) if isinstance(job, Run) else "waiting for a free worker"


def _board_reason(run: Run, boards: list[Board]) -> str:
    suitable = [
        board
        for board in boards
        if (board.pk == run.wanted_board_id if run.wanted_board_id else board.platform == run.platform)
    ]
    if not suitable:
        return "no board suits it"
    if any(board.state == BoardState.READY and board.run_id is None for board in suitable):
        return "about to begin"
    if run.wanted_board_id:
        return f"{suitable[0].name} is {suitable[0].shown_state}"
    return f"all {len(suitable)} boards are busy or out of service"
