"""Verbs of evaluations: request one, cancel one. How its legs go on stands in proceeding.py."""

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from dashboard.boards.models import Board
from dashboard.conversions.models import Conversion
from dashboard.conversions.offers import REFERENCE
from dashboard.conversions.recipe import RecipeSettings
from dashboard.conversions.services import (
    check_served,
    keep_recipe,
)
from dashboard.evaluations.demand import check_demand
from dashboard.evaluations.fitting import check_sources, routes
from dashboard.evaluations.models import Evaluation, Leg
from dashboard.evaluations.proceeding import finish, hold, proceed
from dashboard.evaluations.verdicts import cannot_tell
from dashboard.jobs.models import Job
from dashboard.layers.models import Comparison
from dashboard.projects.models import Project
from dashboard.projects.services import record
from dashboard.registry.models import InputSet, Inspection, ModelVersion, reported
from dashboard.registry.services import Refused


@dataclass(frozen=True)
class Wanted:
    """What an evaluation is asked with. `board` None means any suitable board, when there is one; of a ready file,
    which nobody calibrates, `calibration` is the evaluation samples.
    """

    recipe: RecipeSettings
    calibration: InputSet
    samples: InputSet
    sample: int = 0
    board: Board | None = None
    iterations: int = 20
    priority: int = 0
    labels: tuple[str, ...] = ()
    runtime_version: str = ""
    sequence: bool = False
    idempotency_key: str = ""


def request_evaluation(version: ModelVersion, wanted: Wanted, user: Any) -> tuple[Evaluation, bool]:
    """Ask for numbers about the sources of the version; the same idempotency key again gives the same evaluation.

    Raises Refused for samples or a board of somebody else, a board of another platform, a sample that is not there,
    a priority that the user may not set, a recipe that no living worker can carry out.
    """
    _check(version, wanted)
    check_demand(version.project, wanted, user)
    project, key = version.project, wanted.idempotency_key
    try:
        with transaction.atomic():
            if same := _known(project, key):
                return same, False
            return _request(version, wanted, user), True
    except IntegrityError:
        if same := _known(project, key):  # two requests with one key at once
            return same, False
        raise


def _known(project: Project, key: str) -> Evaluation | None:
    return Evaluation.objects.filter(project=project, idempotency_key=key).first() if key else None


def _check(version: ModelVersion, wanted: Wanted) -> None:
    """Refuse what could never end well. Raises Refused."""
    project, board, platform = version.project, wanted.board, wanted.recipe.platform
    if {wanted.calibration.project_id, wanted.samples.project_id} != {project.pk}:
        raise Refused("recipe:invalid", "The samples belong to another project.")
    if wanted.recipe.is_run_only and wanted.calibration != wanted.samples:
        raise Refused("recipe:invalid", "calibration: a ready file is not calibrated. Leave it out.")
    if board and not board.projects.filter(pk=project.pk).exists():
        raise Refused("recipe:invalid", "The project may not use this board.")
    if board and board.platform != platform:
        raise Refused(
            "recipe:invalid", f"The board's platform is {board.platform}, the recipe's is {platform}."
        )
    if board and board.is_simulation != (wanted.recipe.toolkit == REFERENCE):
        raise Refused(
            "recipe:invalid",
            "A board of software (NPU sim) executes only what the toolkit reference makes, and no other board does.",
        )
    check_sources(version, wanted.recipe)
    count = reported(wanted.samples).get("count")
    if isinstance(count, int) and wanted.sample >= count:
        raise Refused("recipe:invalid", f"sample must be less than {count}, the number of samples.")


def _request(version: ModelVersion, wanted: Wanted, user: Any) -> Evaluation:
    project = version.project
    check_served(version, wanted.recipe, wanted.calibration, wanted.samples, wanted.sample)
    hold(_inspections(version, wanted))
    evaluation = Evaluation.objects.create(
        project=project,
        version=version,
        recipe=keep_recipe(project, wanted.recipe),
        calibration=wanted.calibration,
        samples=wanted.samples,
        sample=wanted.sample,
        board=wanted.board,
        iterations=wanted.iterations,
        priority=wanted.priority,
        labels=sorted(set(wanted.labels)),
        runtime_version=wanted.runtime_version,
        sequence=wanted.sequence,
        idempotency_key=wanted.idempotency_key,
        created_by=user,
    )
    for source in routes(version, wanted.recipe):
        proceed(Leg.objects.create(evaluation=evaluation, source=source))
    record("evaluation.requested", project=project, user=user, subject=str(evaluation))
    return evaluation


def _inspections(version: ModelVersion, wanted: Wanted) -> QuerySet[Inspection]:
    sets = [wanted.calibration.pk, wanted.samples.pk]
    return Inspection.objects.filter(Q(source__in=version.sources.all()) | Q(input_set__in=sets))


def cancel_evaluation(evaluation: Evaluation, user: Any) -> None:
    """Cancel what is under way; work that another evaluation also waits for goes on.

    The legs end first, and are let go of, before their jobs are touched: a worker that ends a job takes the locks
    the other way round.
    """
    with transaction.atomic():
        hold(Evaluation.objects.filter(pk=evaluation.pk))
        legs = list(Leg.objects.filter(evaluation=evaluation, ended_at=None))
        for leg in legs:
            finish(leg, cannot_tell("job:cancelled", "Somebody cancelled this evaluation."))
        record("evaluation.cancelled", project=evaluation.project, user=user, subject=str(evaluation))
    for leg in legs:
        for job in leg.jobs:
            _cancel_unless_shared(job)


def _cancel_unless_shared(job: Job) -> None:
    with transaction.atomic():
        hold(type(job).objects.filter(pk=job.pk))  # nobody begins to wait for it between the look and the end
        if not job.has_ended and not _is_shared(job):
            job.cancel()


def _is_shared(job: Job) -> bool:
    """Does a leg that has not ended wait for the job, or did somebody ask for just this comparison?"""
    match job:
        case Conversion():
            waiting = Q(conversion=job)
        case Comparison():
            if job.created_by_id:
                return True
            waiting = Q(converted=job) | Q(quantization=job) | Q(on_board=job)
        case _:
            return False
    return Leg.objects.filter(waiting, ended_at=None).exists()
