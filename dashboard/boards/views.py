"""Pages of boards and runs, and the files of runs."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard.boards.fingerprints import flat
from dashboard.boards.keys import BadKey, fingerprint
from dashboard.boards.measured import scores_of
from dashboard.boards.models import Board, Run, RunResult
from dashboard.boards.services import pause as pause_board
from dashboard.boards.services import resume as resume_board
from dashboard.boards.times import totals_of
from dashboard.conversions.models import Artifact
from dashboard.downloads import download
from dashboard.evaluations.waiting import wait_of
from dashboard.jobs.listing import with_titles
from dashboard.layers.charts import layers_chart
from dashboard.layers.rows import layer_rows
from dashboard.projects.models import Project

SECRET = ("private_key",)


@require_safe
def boards(request: HttpRequest) -> HttpResponse:
    """The boards that the user's projects may use."""
    rows = Board.objects.visible_to(request.user).defer(*SECRET).select_related("run").defer("run__log")
    mine = set(Run.objects.visible_to(request.user).filter(holds__isnull=False).values_list("pk", flat=True))
    page = Paginator(rows, 50).get_page(request.GET.get("page"))
    return render(request, "boards/boards.html", {"boards": page, "my_runs": mine})


@require_safe
def board(request: HttpRequest, pk: int) -> HttpResponse:
    """A board: state, what it runs, its fingerprint and pinned key, the user's last runs on it."""
    mine = _board(request, pk)
    runs = with_titles(Run.objects.visible_to(request.user)).select_related("result").order_by("-pk")
    context = {
        "board": mine,
        "host_key_fingerprint": _pinned(mine),
        "facts": sorted(flat(mine.fingerprint).items()),
        "current": runs.filter(holds=mine).first(),
        "runs": runs.filter(board=mine)[:20],
        "projects": Project.objects.visible_to(request.user).filter(boards=mine),
        "is_admin": _administered(request.user, mine),
    }
    return render(request, "boards/board.html", context)


@require_POST
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the board no new runs; the one that holds it goes on."""
    reason = request.POST.get("reason", "").strip()
    mine = _administered_board(request, pk)
    pause_board(mine, reason or f"paused by {request.user}", request.user)
    return redirect(mine)


@require_POST
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Take the board back into service, from pause or quarantine."""
    mine = _administered_board(request, pk)
    resume_board(mine, request.user)
    return redirect(mine)


@require_safe
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """A run: progress, times, layers, the board's fingerprint before and after."""
    mine = get_object_or_404(
        with_titles(Run.objects.visible_to(request.user)).select_related("project", "result"), pk=pk
    )
    if request.headers.get("HX-Request"):
        response = render(request, "_job_progress.html", {"job": mine, "wait": wait_of(mine)})
        if mine.has_ended:
            response.headers["HX-Refresh"] = "true"
        return response
    context = {"run": mine, "job": mine, "project": mine.project, "artifact": mine.artifact}
    context["wait"] = wait_of(mine)
    context["may_change"] = mine.project.may_change(request.user)
    result: RunResult | None = getattr(mine, "result", None)
    if result:
        context |= _measured(mine, result)
    return render(request, "boards/run.html", context)


@require_safe
def outputs_file(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The outputs of the run's normal execution."""
    result = get_object_or_404(RunResult.objects.visible_to(request.user), run=pk)
    word = "-simulated" if result.simulated else ""
    return download(result.outputs_sha256, f"run-{pk}-outputs{word}.safetensors")


@require_safe
def artifact_file(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The deployable file."""
    artifact = get_object_or_404(
        Artifact.objects.visible_to(request.user).select_related("conversion__source"), pk=pk
    )
    stem = artifact.conversion.source.filename.rsplit(".", 1)[0]
    return download(artifact.sha256, f"{stem}-{artifact.platform}.{_ending(artifact)}")


def _measured(mine: Run, result: RunResult) -> dict[str, Any]:
    first, second = scores_of(mine, result)
    rows = layer_rows(first, second, result.timed_layers, plain_us=result.median_us)
    before, after = flat(result.fingerprint_before), flat(result.fingerprint_after)
    return {
        "result": result,
        "rows": rows,
        "totals": totals_of(result),
        "chart": layers_chart(rows, result.simulated),
        "facts": [(name, before.get(name), after.get(name)) for name in sorted({*before, *after})],
        "others": with_titles(Run.objects.filter(project=mine.project_id, result__isnull=False))
        .exclude(pk=mine.pk)
        .order_by("-pk")[:30],
    }


def _board(request: HttpRequest, pk: int) -> Board:
    return get_object_or_404(Board.objects.visible_to(request.user).defer(*SECRET), pk=pk)


def _administered(user: Any, board: Board) -> bool:
    return Project.objects.administered_by(user).filter(boards=board).exists()


def _administered_board(request: HttpRequest, pk: int) -> Board:
    mine = _board(request, pk)
    if not _administered(request.user, mine):
        raise PermissionDenied
    return mine


def _pinned(board: Board) -> str:
    try:
        return fingerprint(board.host_key)
    except BadKey:
        return "not a usable key"


def _ending(artifact: Artifact) -> str:
    return "onnx" if artifact.toolkit_version.startswith("reference") else "rknn"
