"""Verbs of evaluations: request one, and take a leg one step further whenever one of its jobs has ended.

The order of the work lives here and in dashboard/pipeline.py, not in messages: `proceed(leg)` looks at what there is
and asks for what is missing, so that calling it twice does nothing twice.
"""

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from dashboard.boards.models import Board
from dashboard.boards.services import request_run
from dashboard.conversions.models import Conversion
from dashboard.conversions.recipe import RecipeSettings
from dashboard.conversions.services import keep_recipe, request_conversion
from dashboard.evaluations.models import Evaluation, Leg
from dashboard.evaluations.verdicts import Judged, blame, cannot_tell, judge_leg
from dashboard.jobs.models import Job, State
from dashboard.layers.models import Comparison
from dashboard.layers.services import request_comparison
from dashboard.projects.models import Project
from dashboard.projects.services import record
from dashboard.registry.models import InputSet, Inspection, ModelVersion, reported
from dashboard.registry.services import Refused


@dataclass(frozen=True)
class Wanted:
    """What an evaluation is asked with. `board` None means any suitable board, when there is one."""

    recipe: RecipeSettings
    calibration: InputSet
    samples: InputSet
    sample: int = 0
    board: Board | None = None
    iterations: int = 20
    idempotency_key: str = ""


def request_evaluation(version: ModelVersion, wanted: Wanted, user: Any) -> tuple[Evaluation, bool]:
    """Ask for numbers about every source of the version; the same idempotency key again gives the same evaluation.

    Raises Refused for samples or a board of somebody else, a board of another platform, a sample that is not there.
    """
    _check(version, wanted)
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
    if board and not board.projects.filter(pk=project.pk).exists():
        raise Refused("recipe:invalid", "The project may not use this board.")
    if board and board.platform != platform:
        raise Refused(
            "recipe:invalid", f"The board's platform is {board.platform}, the recipe's is {platform}."
        )
    count = reported(wanted.samples).get("count")
    if isinstance(count, int) and wanted.sample >= count:
        raise Refused("recipe:invalid", f"sample must be less than {count}, the number of samples.")


def _request(version: ModelVersion, wanted: Wanted, user: Any) -> Evaluation:
    project = version.project
    _hold(_inspections(version, wanted))
    evaluation = Evaluation.objects.create(
        project=project,
        version=version,
        recipe=keep_recipe(project, wanted.recipe),
        calibration=wanted.calibration,
        samples=wanted.samples,
        sample=wanted.sample,
        board=wanted.board,
        iterations=wanted.iterations,
        idempotency_key=wanted.idempotency_key,
        created_by=user,
    )
    for source in version.sources.all():
        proceed(Leg.objects.create(evaluation=evaluation, source=source))
    record("evaluation.requested", project=project, user=user, subject=str(evaluation))
    return evaluation


def _inspections(version: ModelVersion, wanted: Wanted) -> QuerySet[Inspection]:
    sets = [wanted.calibration.pk, wanted.samples.pk]
    return Inspection.objects.filter(Q(source__in=version.sources.all()) | Q(input_set__in=sets))


def _hold(rows: QuerySet[Any]) -> None:
    """Lock the rows in one order until the transaction ends, so that nothing happens to them unseen.

    A job that ended between our look at it and our commit would look for legs that wait, and not find ours.
    """
    list(rows.order_by("pk").select_for_update(no_key=True).values_list("pk"))


def cancel_evaluation(evaluation: Evaluation, user: Any) -> None:
    """Cancel what is under way; work that another evaluation also waits for goes on.

    The legs end first, and are let go of, before their jobs are touched: a worker that ends a job takes the locks
    the other way round.
    """
    with transaction.atomic():
        _hold(Evaluation.objects.filter(pk=evaluation.pk))
        legs = list(Leg.objects.filter(evaluation=evaluation, ended_at=None))
        for leg in legs:
            _finish(leg, cannot_tell("job:cancelled", "Somebody cancelled this evaluation."))
        record("evaluation.cancelled", project=evaluation.project, user=user, subject=str(evaluation))
    for leg in legs:
        for job in leg.jobs:
            _cancel_unless_shared(job)


def _cancel_unless_shared(job: Job) -> None:
    with transaction.atomic():
        _hold(
            type(job).objects.filter(pk=job.pk)
        )  # nobody begins to wait for it between the look and the end
        if not job.has_ended and not _is_shared(job):
            job.cancel()


def proceed(leg: Leg) -> None:
    """Take the leg as far as its jobs allow.

    The evaluation is locked, because two of its jobs may end at once: one of them must see that the other leg, or
    the other job, has ended too.
    """
    with transaction.atomic():
        _hold(Evaluation.objects.filter(pk=leg.evaluation_id))
        leg = Leg.objects.get(pk=leg.pk)
        if leg.has_ended:
            return
        if _inspected(leg) and _converted(leg):
            _compared(leg)


def _inspected(leg: Leg) -> bool:
    """Are the files the leg needs known to be good? A bad one ends the leg."""
    evaluation = leg.evaluation
    for row in (leg.source, evaluation.calibration, evaluation.samples):
        inspection = row.inspection
        if inspection.has_ended and not inspection.is_good:
            _finish(leg, blame(inspection))
            return False
        if not inspection.has_ended:
            return False
    return True


def _converted(leg: Leg) -> bool:
    evaluation = leg.evaluation
    if leg.conversion is None:
        conversion = request_conversion(
            leg.source,
            evaluation.recipe,
            evaluation.calibration,
            evaluation.samples,
            evaluation.sample,
            evaluation.created_by,
        )
        if _is_dying(conversion):
            return False
        leg.conversion = conversion
        leg.save(update_fields=["conversion"])
    if leg.conversion.state in {State.FAILED, State.CANCELLED}:
        _finish(leg, blame(leg.conversion))
    return leg.conversion.state == State.SUCCEEDED


def _compared(leg: Leg) -> None:
    """After the conversion: both comparisons and the run, side by side, then the verdict."""
    assert leg.conversion is not None
    artifact = leg.conversion.artifact
    if leg.quantization is None:
        comparison = request_comparison(artifact.framework, artifact.quantized)
        leg.quantization = None if _is_dying(comparison) else comparison
    if leg.run is None and _has_board(leg):
        evaluation = leg.evaluation
        leg.run = request_run(
            artifact, board=evaluation.board, iterations=evaluation.iterations, user=evaluation.created_by
        )
    if leg.run and leg.run.state == State.SUCCEEDED and leg.on_board is None and leg.run.result.dump:
        leg.on_board = request_comparison(artifact.quantized, leg.run.result.dump)
    leg.save(update_fields=["quantization", "run", "on_board"])
    if leg.quantization and all(job.has_ended for job in leg.jobs):
        _finish(leg, judge_leg(leg))


def _is_dying(job: Job) -> bool:
    """Was it cancelled before this leg came? Then its end brings us back, to ask for another (see pipeline.py)."""
    return job.cancel_requested and not job.has_ended


def _has_board(leg: Leg) -> bool:
    evaluation = leg.evaluation
    if evaluation.board_id:
        return True
    platform = evaluation.recipe.settings["platform"]
    return Board.objects.filter(platform=platform, projects=evaluation.project_id).exists()


def _finish(leg: Leg, judged: Judged) -> None:
    """Write the leg's verdict, and the evaluation's end when it was the last."""
    ended = Leg.objects.filter(pk=leg.pk, ended_at=None).update(
        outcome=judged.outcome,
        sentence=judged.sentence,
        step=judged.step,
        first_bad_layer=judged.first_bad_layer,
        reasons=judged.reasons,
        advice=judged.advice,
        ended_at=Now(),
    )
    if ended and not leg.evaluation.legs.filter(ended_at=None).exists():
        Evaluation.objects.filter(pk=leg.evaluation_id, ended_at=None).update(ended_at=Now())


def _is_shared(job: Job) -> bool:
    """Does a leg that has not ended wait for the job, or did somebody ask for just this comparison?"""
    match job:
        case Conversion():
            waiting = Q(conversion=job)
        case Comparison():
            if job.created_by_id:
                return True
            waiting = Q(quantization=job) | Q(on_board=job)
        case _:
            return False
    return Leg.objects.filter(waiting, ended_at=None).exists()
