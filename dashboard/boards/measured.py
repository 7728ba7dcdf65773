"""The layers behind a run: the scores of the two steps that lead to it."""

from django.db.models import Q

from dashboard.boards.models import Run, RunResult
from dashboard.jobs.models import State
from dashboard.layers.models import Comparison, LayerScore


def scores_of(run: Run, result: RunResult) -> tuple[list[LayerScore], list[LayerScore]]:
    """The scores of both steps that lead to this run: float to quantized, quantized to board; two queries.

    Of a ready file: none, and float to board.
    """
    done = Comparison.objects.filter(state=State.SUCCEEDED).order_by("pk")
    artifact = run.artifact
    known = artifact.quantized_id or artifact.framework_id
    pairs = Q(reference=artifact.framework_id, candidate=artifact.quantized_id)
    if result.dump_id:
        pairs |= Q(reference=known, candidate=result.dump_id)
    found = dict(done.filter(pairs).values_list("candidate", "pk"))
    wanted = [found.get(artifact.quantized_id), found.get(result.dump_id) if result.dump_id else None]
    scores = list(LayerScore.objects.filter(comparison__in=[key for key in wanted if key]))
    first, second = ([score for score in scores if score.comparison_id == key] for key in wanted)
    return first, second
