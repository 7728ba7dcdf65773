"""What follows what: the one page that knows the order of the work.

    inspection -> conversion -> comparison (framework, quantized)
                     \\-> run -> comparison (quantized, board)          each leg ends in a verdict

`advance(job)` is called in the transaction that ends the job, so a crash loses neither or both.
"""

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from dashboard.boards.models import Run
from dashboard.conversions.models import Conversion
from dashboard.evaluations.models import Leg
from dashboard.evaluations.services import proceed
from dashboard.jobs.models import Job
from dashboard.layers.models import Comparison
from dashboard.projects.services import record
from dashboard.registry.models import Inspection


def advance(job: Job) -> None:
    """Take every leg that waits for this ended job one step further."""
    for leg in waiting_for(job):
        proceed(leg)


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
            return legs.filter(source=source)
        case Inspection(input_set_id=samples):
            return legs.filter(Q(evaluation__calibration=samples) | Q(evaluation__samples=samples))
        case Conversion():
            return legs.filter(Q(conversion=job) | Q(conversion=None, source=job.source_id))
        case Run():
            return legs.filter(run=job)
        case Comparison():
            late = Q(
                quantization=None,
                conversion__artifact__framework=job.reference_id,
                conversion__artifact__quantized=job.candidate_id,
            )
            return legs.filter(Q(quantization=job) | Q(on_board=job) | late)
    raise TypeError(f"nobody waits for a {type(job).__name__}")
