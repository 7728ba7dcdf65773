"""Verbs about golden models: name one, find the one that fits a board, accept outputs, retire it."""

from typing import Any

from django.db import transaction
from django.db.models import Max, Q
from django.db.models.functions import Now

from dashboard.boards.models import Board, Run, RunResult
from dashboard.health.models import GoldenModel, GoldenOutputs
from dashboard.health.stacks import Stack, stack_of
from dashboard.jobs.models import State
from dashboard.projects.services import record


class NotGolden(ValueError):
    """What was named cannot be a golden model; the text says why, `field` which of the words given is wrong."""

    def __init__(self, text: str, field: str = "run") -> None:
        super().__init__(text)
        self.field = field


@transaction.atomic
def name_golden_model(run: Run, by: Any, runtime_version: str = "") -> GoldenModel:
    """Make the artifact of this run, with the outputs that it had there, the golden model of its platform.

    The one that was it before is retired. Raises NotGolden for a run without a good end, and for a
    runtime version that no board has.
    """
    result: RunResult | None = getattr(run, "result", None)
    if run.state != State.SUCCEEDED or result is None:
        raise NotGolden("Only a run that ended well has outputs that can be right.")
    there = Board.objects.filter(projects=run.project_id, platform=run.artifact.platform)
    if runtime_version and not there.filter(runtime_version=runtime_version).exists():
        text = f"No board of this project has the runtime version {runtime_version!r}."
        raise NotGolden(text, field="runtime_version")
    golden = _row(run, result.simulated, runtime_version, by)
    keep_outputs(golden, stack_of(result.fingerprint_before), result, by)
    record("golden.named", project=run.project, user=by, subject=f"{golden}: run {run.pk}")
    return golden


def _row(run: Run, simulated: bool, runtime_version: str, by: Any) -> GoldenModel:
    """The new row; the one that stands in its place is retired."""
    here: dict[str, Any] = {"project": run.project, "platform": run.artifact.platform}
    here |= {"runtime_version": runtime_version, "simulated": simulated}
    GoldenModel.objects.in_use().filter(**here).update(retired_at=Now())
    return GoldenModel.objects.create(**here, artifact=run.artifact, iterations=run.iterations, created_by=by)


def keep_outputs(golden: GoldenModel, stack: Stack, result: RunResult, by: Any) -> GoldenOutputs:
    """From now on these are the right outputs on this stack."""
    outputs, _ = GoldenOutputs.objects.update_or_create(
        golden=golden,
        stack=stack.key,
        defaults={
            "facts": stack.facts,
            "outputs_sha256": result.outputs_sha256,
            "median_us": result.median_us,
            "run": result.run,
            "accepted_by": by,
        },
    )
    return outputs


def expected_outputs(golden: GoldenModel, stack: Stack) -> tuple[GoldenOutputs, bool]:
    """The right outputs for this stack, and whether they are known; else those accepted last, on another one."""
    known = golden.outputs.filter(stack=stack.key).first()
    if known:
        return known, True
    return golden.outputs.order_by("-pk")[0], False


def retire(golden: GoldenModel, by: Any) -> None:
    """Check no board with it any more; its history stays."""
    if GoldenModel.objects.in_use().filter(pk=golden.pk).update(retired_at=Now()):
        record("golden.retired", project=golden.project, user=by, subject=str(golden))
    golden.refresh_from_db()


def golden_for(board: Board) -> GoldenModel | None:
    """What to check this board with: of each project the most fitting model, of those the one waiting longest."""
    best: dict[int, Any] = {}
    rows = GoldenModel.objects.for_board(board).select_related("artifact__conversion__project")
    for golden in rows.annotate(last=Max("checks__pk", filter=Q(checks__board=board))):
        best.setdefault(golden.project_id, golden)
    longest: GoldenModel | None = min(best.values(), key=lambda golden: golden.last or 0, default=None)
    return longest
