"""The verdict of a ready file's run: by the float network of another route, where there is one; else there is none."""

from dashboard.boards.models import RunResult
from dashboard.evaluations.models import Leg, Outcome
from dashboard.evaluations.verdicts import Judged, blame, cannot_tell, nowhere
from dashboard.jobs.models import State
from dashboard.layers.services import compared
from similarity.whole_findings import judge_whole

COMPARE_DUMP = (
    "Compare the board's layer dump with another dump of the project, or upload the ONNX file that this one was built"
    " of as another route of the version: then its float network is what the board is held against."
)
NO_DUMP = (
    "The run's log says why there is no dump: of a precompiled file none can be had. Its outputs can be downloaded, and"
    " named right for later runs by a golden model."
)


def judge_run_only(leg: Leg) -> Judged:
    """The verdict of a leg whose jobs have all ended."""
    failed = [job for job in leg.jobs if job.state != State.SUCCEEDED]
    if failed:
        return blame(failed[0])
    if leg.run is None:
        return cannot_tell("board:none-suitable", nowhere(leg))
    return _by_float_network(leg) if leg.on_board else _without(leg.run.result)


def _by_float_network(leg: Leg) -> Judged:
    assert leg.run is not None and leg.on_board is not None
    layers = leg.on_board.reference.layers
    feeding = {key for layer in layers for key in layer.get("inputs", ())}
    verdict = judge_whole(compared(leg.on_board), {layer["key"] for layer in layers} - feeding)
    return Judged(
        outcome=verdict.outcome,
        sentence=f"{verdict.sentence} {_ran(leg.run.result)}",
        first_bad_layer=verdict.first_bad_layer or "",
        reasons=[{"code": r.code, "text": r.text, "layer": r.layer_key or ""} for r in verdict.reasons],
        advice=list(verdict.advice),
    )


def _without(result: RunResult) -> Judged:
    """What the run brought; whether it is right nobody can tell from that alone."""
    sentence = f"Nothing to compare with: run only. {_ran(result)}"
    reason = {"code": "run:nothing-to-compare", "text": sentence, "layer": ""}
    advice = [COMPARE_DUMP if result.dump else NO_DUMP]
    return Judged(Outcome.CANNOT_TELL, sentence, reasons=[reason], advice=advice)


def _ran(result: RunResult) -> str:
    times = f"{len(result.timed_layers)} layers were timed" if result.timed_layers else "no layer was timed"
    layers = f"{len(result.dump.layers)} were dumped" if result.dump else "none was dumped"
    return (
        f"The file was built elsewhere, and it ran: a median of {result.median_us / 1000:.3f} ms over"
        f" {len(result.iterations_us)} iterations; {times}, {layers}."
    )
