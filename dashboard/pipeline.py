"""What follows what: the one page that knows the order of the work.

    inspection -> conversion -> comparison (framework, converted), where the toolkit shows its float graph
                     |--> comparison (framework, quantized)
                     \\-> run -> comparison (quantized, board)          each leg ends in a verdict

`advance(job)` is called in the transaction that ends the job, so a crash loses neither or both.
"""

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from dashboard.boards.access import is_administered
from dashboard.boards.models import Board, Purpose, Run
from dashboard.conversions.models import Conversion
from dashboard.conversions.offers import READY
from dashboard.evaluations.models import Leg
from dashboard.evaluations.proceeding import proceed
from dashboard.health import services as health
from dashboard.health.models import HealthCheck, PowerCycle, TwinCheck
from dashboard.imports.models import Import
from dashboard.jobs.models import Job
from dashboard.layers.models import Comparison
from dashboard.projects.services import record
from dashboard.registration.models import Probe
from dashboard.registration.services import first_run_ended
from dashboard.registry.models import Inspection, Source


def advance(job: Job) -> None:
    """Take every leg that waits for this ended job one step further; a new board's first run decides about it, and
    boards' health takes notice.
    """
    for leg in waiting_for(job):
        proceed(leg)
    if isinstance(job, Run):
        first_run_ended(job)
    health.follow(job)


def may_cancel(job: Job, user: Any) -> bool:
    """May the user cancel the job? What is done for a board, which projects share, only the board's admins may."""
    match job:
        case Probe(board=Board() as board) | HealthCheck(board=board) | PowerCycle(board=board):
            return is_administered(user, board)
        case Run(purpose=Purpose.HEALTH, wanted_board=Board() as board):
            return is_administered(user, board)
    return job.project.may_change(user)


@transaction.atomic
def cancel_job(job: Job, user: Any) -> None:
    """End a queued job, or ask a running one to stop; who waits for a job that ended so is told."""
    if job.cancel() and job.has_ended:
        advance(job)
    record("job.cancelled", project=job.project, user=user, subject=str(job))


def waiting_for(job: Job) -> QuerySet[Leg]:
    """The legs that have not ended and depend on the job, in the one order in which evaluations are locked.

    Among them are those that came when the job was being cancelled already: they wait to ask for another.
    """
    legs = Leg.objects.filter(ended_at=None).order_by("evaluation_id", "pk")
    match job:
        case Inspection(source_id=int() as source):
            version = Source.objects.filter(pk=source).values("version")
            beside = Q(evaluation__recipe__settings__toolkit=READY, source__version__in=version)
            return legs.filter(Q(source=source) | beside)
        case Inspection(input_set_id=samples):
            return legs.filter(Q(evaluation__calibration=samples) | Q(evaluation__samples=samples))
        case Conversion():
            return legs.filter(Q(conversion=job) | Q(conversion=None, source=job.source_id))
        case Run():
            return legs.filter(run=job)
        case Comparison():
            same_source = Q(conversion__artifact__framework=job.reference_id)
            late = same_source & (
                Q(quantization=None, conversion__artifact__quantized=job.candidate_id)
                | Q(converted=None, conversion__artifact__converted=job.candidate_id)
            )
            return legs.filter(Q(converted=job) | Q(quantization=job) | Q(on_board=job) | late)
        case Probe() | HealthCheck() | TwinCheck() | PowerCycle() | Import():
            return legs.none()
    raise TypeError(f"nobody waits for a {type(job).__name__}")
