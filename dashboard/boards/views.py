"""Pages of boards and runs, and the files of runs."""

from statistics import median
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard.boards.access import SECRET, administered_board, is_administered, visible_board
from dashboard.boards.fingerprints import facts_of
from dashboard.boards.keys import BadKey, fingerprint
from dashboard.boards.measured import scores_of
from dashboard.boards.models import Board, Run, RunResult
from dashboard.boards.reserving import about_service
from dashboard.boards.services import pause as pause_board
from dashboard.boards.services import resume as resume_board
from dashboard.boards.shown import (
    STATES,
    Choices,
    Filter,
    current_run,
    last_lines,
    queue_lengths,
    runs_of,
    with_temperature,
)
from dashboard.boards.times import totals_of
from dashboard.conversions.models import Artifact
from dashboard.downloads import download
from dashboard.evaluations.waiting import wait_of
from dashboard.jobs.listing import with_titles
from dashboard.layers.charts import labels_of, layers_chart
from dashboard.layers.rows import layer_rows
from dashboard.projects.models import CHANGERS, Project, Role
from dashboard.telemetry.charts import charts_of
from dashboard.telemetry.series import SPANS, series_of
from dashboard.telemetry.sites import site_states, state_of

CHANGES_SHOWN = 8


@require_safe
def boards(request: HttpRequest) -> HttpResponse:
    """The boards that the user's projects may use, and the sites among them that nobody serves."""
    visible = Board.objects.visible_to(request.user).order_by("name")
    chosen = Filter.of(request.GET)
    rows = with_temperature(chosen.apply(visible)).select_related("reserved_by").defer(*SECRET, "fingerprint")
    page = Paginator(rows, 50).get_page(request.GET.get("page"))
    shown = list(page.object_list)
    lengths = queue_lengths(shown)
    mine = Run.objects.visible_to(request.user).filter(holds__in=[board.pk for board in shown])
    context = {
        "page": page,
        "rows": [(board, lengths[board.pk]) for board in shown],
        "my_runs": set(mine.values_list("pk", flat=True)),
        "chosen": chosen,
        "choices": Choices.among(visible),
        "states": STATES,
        "administered": Project.objects.administered_by(request.user).order_by("name").first(),
        "unserved": [site for site in site_states(visible) if not site.is_served],
    }
    return render(request, "boards/boards.html", context)


@require_safe
def board(request: HttpRequest, pk: int) -> HttpResponse:
    """A board: its state, what it runs, what changed, readings, the user's last runs on it.

    While a run holds it, the upper part asks for itself again; when the board is free, the page does.
    """
    mine = visible_board(request, pk)
    run = current_run(mine, request.user)
    context = {
        "board": mine,
        "run": run,
        "live_log": last_lines(run.log) if run else "",
        "queue_length": queue_lengths([mine])[mine.pk],
        "site": state_of(mine.site),
    }
    if request.headers.get("HX-Request"):
        response = render(request, "boards/_now.html", context)
        if not mine.run_id:
            response.headers["HX-Refresh"] = "true"
        return response
    return render(request, "boards/board.html", context | _history(request, mine))


def _history(request: HttpRequest, mine: Board) -> dict[str, Any]:
    """Everything of the board's page that does not change while a run is under way."""
    span = request.GET.get("span", "")
    span = span if span in SPANS else "week"
    series = series_of(mine, span)
    rows, medians = runs_of(mine, request.user)
    changes = list(mine.changes.order_by("-at", "-pk")[:CHANGES_SHOWN])
    numbers = {point.run for point in series.points} | {change.run_id for change in changes}
    visible = set(Run.objects.visible_to(request.user).filter(pk__in=numbers).values_list("pk", flat=True))
    return {
        "host_key_fingerprint": _pinned(mine),
        "facts": facts_of(mine.fingerprint, mine.fingerprint),
        "changes": changes,
        "visible_runs": visible,
        "span": span,
        "spans": list(SPANS),
        "series": series,
        "charts": charts_of(series, visible),
        "medians": medians,
        "runs": rows,
        "projects": Project.objects.visible_to(request.user).filter(boards=mine),
        "is_admin": is_administered(request.user, mine),
    } | about_service(mine, request.user)


@require_POST
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the board no new runs; the one that holds it goes on."""
    reason = request.POST.get("reason", "").strip()
    mine = administered_board(request, pk)
    pause_board(mine, reason or f"paused by {request.user}", request.user)
    messages.success(request, f"{mine} is paused; what it runs goes on to its end.")
    return redirect(mine)


@require_POST
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Take the board back into service, from pause or quarantine."""
    mine = administered_board(request, pk)
    resume_board(mine, request.user)
    messages.success(request, f"{mine} is back in service.")
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
    context["run_only"] = mine.artifact.is_run_only
    context["wait"] = wait_of(mine)
    role = mine.project.role_of(request.user)
    context |= {"may_change": role in CHANGERS, "is_admin": role == Role.ADMIN}
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
        Artifact.objects.visible_to(request.user).select_related("conversion__source", "conversion__recipe"),
        pk=pk,
    )
    stem = artifact.conversion.source.filename.rsplit(".", 1)[0]
    return download(artifact.sha256, f"{stem}-{artifact.platform}.{_ending(artifact)}")


def _measured(mine: Run, result: RunResult) -> dict[str, Any]:
    first, second = scores_of(mine, result)
    rows = layer_rows(first, second, result.timed_layers, plain_us=result.median_us)
    return {
        "result": result,
        "rows": rows,
        "totals": totals_of(result),
        "wall_median": median(result.wall_us) if result.wall_us else None,
        "chart": layers_chart(rows, result.simulated, labels_of(mine.artifact.is_run_only)),
        "facts": facts_of(result.fingerprint_before, result.fingerprint_after),
        "others": with_titles(Run.objects.filter(project=mine.project_id, result__isnull=False))
        .exclude(pk=mine.pk)
        .order_by("-pk")[:30],
    }


def _pinned(board: Board) -> str:
    try:
        return fingerprint(board.host_key)
    except BadKey:
        return "not a usable key"


def _ending(artifact: Artifact) -> str:
    return "onnx" if artifact.conversion.recipe.settings["toolkit"] == "reference" else "rknn"
