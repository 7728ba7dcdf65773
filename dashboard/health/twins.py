"""Verbs about twin checks: request one, go on when its runs end, say what two or three boards' answers mean."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

from django.db import transaction
from django.db.models import Case, IntegerField, Q, Value, When

from dashboard.boards.models import Board, BoardState, Purpose, Run, RunResult
from dashboard.boards.services import request_run
from dashboard.conversions.models import Artifact
from dashboard.health.judging import outputs_difference
from dashboard.health.models import TwinCheck, TwinOutcome
from dashboard.jobs.models import State
from dashboard.layers.models import LayerScore
from dashboard.layers.services import request_comparison
from dashboard.projects.services import record
from similarity.exact import first_sentence


class CannotCompare(ValueError):
    """There are no two boards to compare; the text says why."""


@dataclass(frozen=True)
class Finding:
    """What the answers mean; `bad_board` is the one that stands alone."""

    outcome: TwinOutcome
    sentence: str
    first_layer: str = ""
    bad_board: Board | None = None
    evidence: dict[str, Any] | None = None


@transaction.atomic
def request_twin_check(
    artifact: Artifact,
    by: Any,
    boards: tuple[Board | None, Board | None] = (None, None),
    iterations: int = 20,
) -> TwinCheck:
    """Queue the artifact on two boards; those not chosen are any others of the platform. Raises CannotCompare."""
    chosen = [board for board in boards if board]
    if len({board.pk for board in chosen}) < len(chosen):
        raise CannotCompare("Choose two different boards.")
    if any(board.platform != artifact.platform for board in chosen):
        raise CannotCompare(f"The artifact is made for {artifact.platform}.")
    if any(board.is_simulation != artifact.is_for_simulation for board in chosen):
        kind = "boards of software (NPU sim)" if artifact.is_for_simulation else "boards with an NPU"
        raise CannotCompare(f"The artifact is made for {kind}.")
    others = list(candidates(artifact).exclude(pk__in=[board.pk for board in chosen])[:2])
    pair = (chosen + others)[:2]
    if len(pair) < 2:
        raise CannotCompare(f"There are no two boards of the platform {artifact.platform} in service.")
    runs = [_run(artifact, board, by, iterations) for board in pair]
    project = artifact.conversion.project
    names = " and ".join(board.name for board in pair)
    record("twin.requested", project=project, user=by, subject=f"artifact {artifact.pk} on {names}")
    return TwinCheck.objects.create(
        project=project, artifact=artifact, first_run=runs[0], second_run=runs[1], created_by=by
    )


def candidates(artifact: Artifact) -> Any:
    """Boards that could take part, the free ones first."""
    busy = Case(When(run__isnull=True, then=Value(0)), default=Value(1), output_field=IntegerField())
    boards = Board.objects.filter(
        platform=artifact.platform, projects=artifact.conversion.project, state=BoardState.READY
    )
    return boards.executing(artifact.is_for_simulation).order_by(busy, "pk")


def proceed(run: Run) -> None:
    """When both runs have ended well: compare their layers, and ask a third board if their outputs differ.

    Called in the transaction that ends the run.
    """
    if not run.is_twin:
        return
    mine = TwinCheck.objects.filter(Q(first_run=run) | Q(second_run=run), state=State.QUEUED)
    twin = mine.select_for_update(of=("self",)).first()
    if twin is None:
        return
    results = [_result(one) for one in (twin.first_run, twin.second_run)]
    first, second = results
    if first is None or second is None:
        return
    if first.dump and second.dump and twin.comparison_id is None:
        twin.comparison = request_comparison(first.dump, second.dump, twin.created_by)
    if first.outputs_sha256 != second.outputs_sha256 and twin.referee_run_id is None:
        twin.referee_run = _referee(twin)
    twin.save(update_fields=["comparison", "referee_run"])


def cancel_runs(twin: TwinCheck) -> None:
    """Nobody waits for its runs any more: they leave the queue and the boards."""
    for run in (twin.first_run, twin.second_run, twin.referee_run):
        if run:
            run.cancel()


def find(twin: TwinCheck) -> Finding:
    """What the boards' answers say. Raises judging.Unreadable, files.Missing."""
    runs = [run for run in (twin.first_run, twin.second_run, twin.referee_run) if run]
    results = [_result(run) for run in runs]
    for run, result in zip(runs[:2], results[:2], strict=True):
        if result is None:
            why = run.why.title if run.why else "it was cancelled"
            return Finding(TwinOutcome.UNKNOWN, f"{_name(run)} brought no outputs: {why}.")
    answers = {
        (one, other): outputs_difference(a.outputs_sha256, b.outputs_sha256)
        for (one, a), (other, b) in combinations(enumerate(results), 2)
        if a and b
    }
    layer = first_differing_layer(twin)
    times = [result.median_us if result else None for result in results]
    evidence: dict[str, Any] = {"outputs": answers[0, 1].as_dict(), "times_us": times}
    same = {pair for pair, difference in answers.items() if difference.is_equal}
    return _meaning(
        runs,
        same,
        len(answers) == 3,
        difference=first_sentence(evidence["outputs"]),
        layer=layer,
        evidence=evidence,
    )


def keep_finding(twin: TwinCheck, found: Finding) -> None:
    """Write what was found; called in the transaction that ends the check."""
    TwinCheck.objects.filter(pk=twin.pk).update(
        outcome=found.outcome,
        sentence=found.sentence[:500],
        first_layer=found.first_layer[:300],
        bad_board=found.bad_board,
        evidence=found.evidence or {},
    )
    twin.refresh_from_db()


def first_differing_layer(twin: TwinCheck) -> str:
    """The first layer whose numbers differ at all between both boards; empty when none does, or none was compared."""
    if twin.comparison_id is None:
        return ""
    scores = LayerScore.objects.filter(comparison=twin.comparison_id).order_by("position")
    for name, flags in scores.values_list("name", "flags"):
        if not flags.get("exact"):
            return str(name)
    return ""


def _meaning(
    runs: list[Run],
    same: set[tuple[int, int]],
    has_referee: bool,
    *,
    difference: str,
    layer: str,
    evidence: dict[str, Any],
) -> Finding:
    at = f" They part at the layer {layer}." if layer else ""
    if (0, 1) in same:
        inside = f" Inside they differ all the same, first at the layer {layer}." if layer else ""
        sentence = f"Both boards give the same outputs, bit for bit.{inside}"
        return Finding(TwinOutcome.EQUAL, sentence, layer, None, evidence)
    if not has_referee:
        sentence = f"{difference}{at} No third board could say which one is right."
        return Finding(TwinOutcome.DIFFERS, sentence, layer, None, evidence)
    for alone, pair in ((1, (0, 2)), (0, (1, 2))):
        if pair in same:
            bad = runs[alone].board
            agrees = f"a third board, {_name(runs[2])}, agrees with the other."
            sentence = f"{_name(runs[alone])} stands alone: {agrees} {difference}{at}"
            return Finding(TwinOutcome.BAD_BOARD, sentence, layer, bad, evidence)
    sentence = (
        f"Three boards give three answers: the model does not compute the same twice, whoever runs it.{at}"
    )
    return Finding(TwinOutcome.BAD_MODEL, sentence, layer, None, evidence)


def _referee(twin: TwinCheck) -> Run | None:
    taken = [run.wanted_board_id for run in (twin.first_run, twin.second_run)]
    board = candidates(twin.artifact).exclude(pk__in=taken).first()
    return _run(twin.artifact, board, twin.created_by, twin.first_run.iterations) if board else None


def _run(artifact: Artifact, board: Board, by: Any, iterations: int) -> Run:
    return request_run(artifact, board=board, iterations=iterations, user=by, purpose=Purpose.TWIN)


def _result(run: Run) -> RunResult | None:
    result: RunResult | None = RunResult.objects.select_related("dump").filter(run=run).first()
    return result if run.state == State.SUCCEEDED else None


def _name(run: Run) -> str:
    board = run.board or run.wanted_board
    return board.label if board else "a board that was removed"
