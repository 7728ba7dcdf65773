"""What a claim costs while 100, 1,000 and 10,000 runs wait: milliseconds and queries."""

import statistics
import time
from dataclasses import dataclass

from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard.boards.models import Board, Lane, Run
from dashboard.boards.queue import claim_next, wakers
from dashboard.conversions.models import Artifact
from dashboard.jobs.models import State
from tests import factories
from tests.boards.queues import artifact_of, flood

LENGTHS = (100, 1_000, 10_000)
PROJECTS = 3
CLAIMS = 200
WARM_UP = 10
LABELS = ([], ["camera"], ["never"])  # the last is on no board: its runs stay in the way


@dataclass(frozen=True)
class ClaimCost:
    """With so many runs in the queue: the median of a claim, of a wake-up call, and the queries of each claim."""

    queued: int
    claim_ms: float
    wake_ms: float
    queries: int


def claim_costs() -> list[ClaimCost]:
    """The costs at every length of the queue; leaves no run, lane or board behind."""
    return [_cost(length) for length in LENGTHS]


def _cost(length: int) -> ClaimCost:
    board, another = factories.make_board(), factories.make_board()
    Board.objects.update(labels=["camera"])
    artifacts = [artifact_of(factories.make_project()) for _ in range(PROJECTS)]
    for artifact in artifacts:
        for each in (board, another):
            each.projects.add(artifact.conversion.project)
        for labels in LABELS:
            flood(artifact, length // (PROJECTS * len(LABELS)) + 1, labels=labels)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    try:
        return _measured(board, artifacts)
    finally:
        Run.objects.all().delete()
        Lane.objects.all().delete()
        Board.objects.all().delete()


def _measured(board: Board, artifacts: list[Artifact]) -> ClaimCost:
    claims, wakes = [], []
    for at in range(CLAIMS + WARM_UP):
        since = time.perf_counter()
        run = claim_next(board, "bench")
        claims.append(time.perf_counter() - since)
        assert run is not None and run.succeed(run.fence)
        flood(artifacts[at % PROJECTS], 1)  # the queue keeps its length
        since = time.perf_counter()
        wakers()
        wakes.append(time.perf_counter() - since)
    with CaptureQueriesContext(connection) as seen:
        claim_next(board, "bench")
    queued = Run.objects.filter(state=State.QUEUED).count()
    claim, wake = (statistics.median(times[WARM_UP:]) * 1e3 for times in (claims, wakes))
    return ClaimCost(queued, claim, wake, len(seen))
