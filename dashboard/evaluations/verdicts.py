"""From stored scores and failures to a leg's verdict, in the words of similarity/verdict.py."""

from dataclasses import dataclass, field, replace
from typing import Any

from dashboard.boards.models import Board
from dashboard.boards.queue import misfit
from dashboard.conversions.models import Artifact, FrameworkBy
from dashboard.conversions.offers import REFERENCE
from dashboard.evaluations.models import Leg, Outcome
from dashboard.jobs.failures import failure
from dashboard.jobs.models import Job, State
from dashboard.layers.services import compared
from similarity.verdict import judge

# float networks that are what the toolkit read, and not the source
NOT_RUN = frozenset({FrameworkBy.FRONT_END, FrameworkBy.TOOLKIT})


@dataclass(frozen=True)
class Judged:
    """A leg's verdict as it is stored."""

    outcome: str
    sentence: str
    step: str = ""
    first_bad_layer: str = ""
    reasons: list[dict[str, Any]] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)


def judge_leg(leg: Leg) -> Judged:
    """The verdict over what the leg measured; a job that failed makes it `cannot tell` for its step."""
    done = {State.SUCCEEDED}
    quantization = leg.quantization if leg.quantization and leg.quantization.state in done else None
    converted = leg.converted if leg.converted and leg.converted.state in done else None
    on_board = leg.on_board if leg.on_board and leg.on_board.state in done else None
    failed = [job for job in leg.jobs if job.state not in done]
    if quantization is None:
        return blame(failed[0])
    verdict = judge(
        compared(quantization),
        compared(on_board) if on_board else None,
        board_expected=leg.run is not None,
        conversion=compared(converted) if converted else None,
    )
    reasons = [{"code": r.code, "text": r.text, "layer": r.layer_key or ""} for r in verdict.reasons]
    judged = Judged(
        outcome=verdict.outcome,
        sentence=verdict.sentence,
        step=verdict.step or "",
        first_bad_layer=verdict.first_bad_layer or "",
        reasons=reasons,
        advice=list(verdict.advice),
    )
    if leg.conversion and leg.conversion.artifact.framework_by in NOT_RUN:
        judged = _unread(judged, leg.conversion.artifact)
    if leg.run is None:
        return _without_board(judged, leg)
    return judged if not failed else _with_failure(judged, failed[0])


def _unread(judged: Judged, artifact: Artifact) -> Judged:
    """Say what a float network that is the toolkit's own cannot show."""
    told = "Whether the toolkit read the file right is not known: nothing here can run it."
    is_alone = (
        artifact.framework_by == FrameworkBy.TOOLKIT and artifact.conversion.recipe.value.dtype == "float"
    )
    if is_alone:
        told += " A float build is that float network, so nothing was compared before the board."
    advice = "To have the reading checked, upload the same network as ONNX as another route: this page compares both."
    return replace(judged, sentence=f"{judged.sentence} {told}", advice=[*judged.advice, advice])


def blame(job: Job) -> Judged:
    """No verdict is possible because this job failed; infrastructure never looks like a bad model."""
    why = failure(job.failure or "job:input-failed")
    return cannot_tell(why.code, f"{why.title} ({job.title}). {job.detail}".strip(), [why.advice])


def cannot_tell(code: str, sentence: str, advice: list[str] | None = None) -> Judged:
    reason = {"code": code, "text": sentence, "layer": ""}
    return Judged(Outcome.CANNOT_TELL, sentence, reasons=[reason], advice=advice or [failure(code).advice])


def _without_board(judged: Judged, leg: Leg) -> Judged:
    """Keep what was found before the board; whether it would pass there nobody can tell."""
    sentence = nowhere(leg)
    missing = cannot_tell("board:none-suitable", sentence)
    return replace(
        judged,
        outcome=judged.outcome if judged.outcome == Outcome.FAIL else Outcome.CANNOT_TELL,
        sentence=f"{judged.sentence} {sentence}",
        reasons=judged.reasons + missing.reasons,
        advice=judged.advice + missing.advice,
    )


def nowhere(leg: Leg) -> str:
    """That the project has no board for it."""
    asked = leg.evaluation
    recipe = asked.recipe.value
    for_simulation = recipe.toolkit == REFERENCE
    boards = Board.objects.filter(platform=recipe.platform, projects=asked.project_id)
    if boards.executing(not for_simulation).exists():
        return f"Nothing ran on a board: {misfit(for_simulation)}."
    return f"Nothing ran on a board: the project has none of the platform {recipe.platform}."


def _with_failure(judged: Judged, job: Job) -> Judged:
    """Keep what was found, but a pass needs every step: without the board nobody can tell."""
    lost = blame(job)
    outcome = judged.outcome if judged.outcome == Outcome.FAIL else Outcome.CANNOT_TELL
    return Judged(
        outcome,
        f"{lost.sentence} {judged.sentence}",
        judged.step,
        judged.first_bad_layer,
        lost.reasons + judged.reasons,
        lost.advice + judged.advice,
    )
