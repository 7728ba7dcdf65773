"""Was it made by a board of software? The one place that answers for jobs, legs and evaluations."""

from dashboard.boards.models import Run
from dashboard.evaluations.models import Leg
from dashboard.health.models import HealthCheck, PowerCycle, TwinCheck
from dashboard.jobs.models import Job
from dashboard.layers.models import Comparison
from dashboard.registration.models import Probe


def job_is_simulated(job: Job) -> bool:
    """Did (or will) a board of software make what this job makes, or what it looks at?"""
    match job:
        case Run():
            result = getattr(job, "result", None)
            board = job.board or job.wanted_board
            return bool(result.simulated if result else board and board.simulated)
        case Comparison():
            return job.reference.simulated or job.candidate.simulated
        case Probe():
            target = job.board or job.registration
            return bool(target and target.simulated)
        case HealthCheck() | PowerCycle():
            return job.board.simulated
        case TwinCheck():
            boards = (job.first_run.wanted_board, job.second_run.wanted_board)
            return any(board.simulated for board in boards if board)
    return False


def leg_is_simulated(leg: Leg) -> bool:
    """Is any number of this leg (going to be) made by a board of software?"""
    if leg.run:
        return job_is_simulated(leg.run)
    board = leg.evaluation.board
    return bool(board and board.simulated)
