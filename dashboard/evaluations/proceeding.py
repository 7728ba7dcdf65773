"""How a leg goes on whenever a job that it waits for has ended: inspected, converted, compared and run, judged.

The order of the work lives here and in dashboard/pipeline.py, not in messages: `proceed(leg)` looks at what there is
and asks for what is missing, so that calling it twice does nothing twice.
"""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from dashboard.boards.models import Board
from dashboard.boards.services import request_run
from dashboard.conversions.models import Artifact
from dashboard.conversions.services import lacking_for, request_conversion
from dashboard.evaluations.fitting import unfit
from dashboard.evaluations.models import Evaluation, Leg
from dashboard.evaluations.runonly import judge_run_only
from dashboard.evaluations.verdicts import Judged, blame, cannot_tell, judge_leg
from dashboard.jobs.failures import failure
from dashboard.jobs.models import ENDED, Job, State
from dashboard.layers.models import Comparison, Dump
from dashboard.layers.services import request_comparison
from dashboard.registry.models import Inspection
from dashboard.registry.services import Refused


def hold(rows: QuerySet[Any]) -> None:
    """Lock the rows in one order until the transaction ends, so that nothing happens to them unseen.

    A job that ended between our look at it and our commit would look for legs that wait, and not find ours.
    """
    list(rows.order_by("pk").select_for_update(no_key=True).values_list("pk"))


def proceed(leg: Leg) -> None:
    """Take the leg as far as its jobs allow.

    The evaluation is locked, because two of its jobs may end at once: one of them must see that the other leg, or
    the other job, has ended too.
    """
    with transaction.atomic():
        hold(Evaluation.objects.filter(pk=leg.evaluation_id))
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
            finish(leg, blame(inspection))
            return False
        if not inspection.has_ended:
            return False
    return not evaluation.recipe.value.is_run_only or not _others_under_way(leg)


def _others_under_way(leg: Leg) -> bool:
    """Is another route still being looked into? It may be the float network beside a ready file."""
    others = Inspection.objects.filter(source__version=leg.source.version_id)
    return others.exclude(state__in=ENDED).exists()


def _is_convertible(leg: Leg) -> bool:
    """Does the recipe fit the source, and does some living worker's toolkit take its format? If not, the leg ends
    before a job starts.
    """
    asked = leg.evaluation
    recipe = asked.recipe.value
    why = unfit(leg.source, recipe)
    lacking = "" if why else lacking_for(leg.source, recipe, asked.calibration, asked.samples, asked.sample)
    if lacking:
        why = Refused("recipe:no-toolkit", lacking)
    if why:
        finish(leg, cannot_tell(why.code, f"{failure(why.code).title}. {why.detail}"))
    return why is None


def _converted(leg: Leg) -> bool:
    evaluation = leg.evaluation
    if leg.conversion is None:
        if not _is_convertible(leg):
            return False
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
        finish(leg, blame(leg.conversion))
    return leg.conversion.state == State.SUCCEEDED


def _compared(leg: Leg) -> None:
    """After the conversion: the comparisons and the run, side by side, then the verdict."""
    assert leg.conversion is not None
    artifact = leg.conversion.artifact
    _compare_conversion(leg, artifact)
    if leg.run is None and _has_board(leg, artifact):
        evaluation = leg.evaluation
        leg.run = request_run(
            artifact,
            board=evaluation.board,
            iterations=evaluation.iterations,
            user=evaluation.created_by,
            priority=evaluation.priority,
            labels=evaluation.labels,
            runtime_version=evaluation.runtime_version,
            sequence=evaluation.sequence,
        )
    if leg.run and leg.run.state == State.SUCCEEDED and leg.on_board is None:
        _compare_run(leg, artifact.reference, leg.run.result.dump)
    leg.save(update_fields=["converted", "quantization", "run", "on_board"])
    is_asked = (leg.quantization or artifact.is_run_only) and (leg.converted or not artifact.converted)
    if is_asked and all(job.has_ended for job in leg.jobs):
        finish(leg, judge_run_only(leg) if artifact.is_run_only else judge_leg(leg))


def _compare_conversion(leg: Leg, artifact: Artifact) -> None:
    """Ask for the steps that lead to the artifact: none, where it was built elsewhere."""
    source = artifact.framework
    if source and artifact.quantized and leg.quantization is None:
        leg.quantization = _comparison(source, artifact.quantized)
    if source and artifact.converted and leg.converted is None:
        leg.converted = _comparison(source, artifact.converted)


def _compare_run(leg: Leg, reference: Dump | None, dump: Dump | None) -> None:
    """Ask for the last step, to the board, where both sides have layers."""
    if reference and dump:
        leg.on_board = request_comparison(reference, dump)


def _comparison(reference: Dump, candidate: Dump) -> Comparison | None:
    """The comparison of both dumps, None while an earlier one of them is being cancelled."""
    comparison = request_comparison(reference, candidate)
    return None if _is_dying(comparison) else comparison


def _is_dying(job: Job) -> bool:
    """Was it cancelled before this leg came? Then its end brings us back, to ask for another (see pipeline.py)."""
    return job.cancel_requested and not job.has_ended


def _has_board(leg: Leg, artifact: Artifact) -> bool:
    evaluation = leg.evaluation
    if evaluation.board:
        return bool(evaluation.board.is_simulation == artifact.is_for_simulation)
    boards = Board.objects.filter(platform=artifact.platform, projects=evaluation.project_id)
    return boards.executing(artifact.is_for_simulation).exists()


def finish(leg: Leg, judged: Judged) -> None:
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
