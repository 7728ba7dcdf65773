"""Pages of one comparison, and the files of dumps."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from dashboard.downloads import download
from dashboard.evaluations.waiting import wait_of
from dashboard.layers.charts import layers_chart
from dashboard.layers.models import Comparison, Dump, Rung
from dashboard.layers.rows import layer_rows


@require_safe
def comparison(request: HttpRequest, pk: int) -> HttpResponse:
    """Two dumps, layer by layer: chart, table, and what found no partner."""
    mine = get_object_or_404(
        Comparison.objects.visible_to(request.user)
        .select_related("project", "reference", "candidate")
        .defer("log", "reference__layers", "candidate__layers"),
        pk=pk,
    )
    if request.headers.get("HX-Request"):
        return _progress(request, mine)
    scores = list(mine.scores.all())
    is_board = mine.candidate.rung in {Rung.BOARD, Rung.BOARD_PLAIN, Rung.BOARD_ISOLATED}
    rows = layer_rows([] if is_board else scores, scores if is_board else [], [])
    simulated = mine.reference.simulated or mine.candidate.simulated
    step = f"{mine.reference.label} → {mine.candidate.label}"
    context = {
        "comparison": mine,
        "job": mine,
        "wait": wait_of(mine),
        "project": mine.project,
        "scores": scores,
        "chart": layers_chart(rows, labels={"quantization": step, "board": step}),
        "simulated": simulated,
        "imported": mine.reference.imported or mine.candidate.imported,
        "may_change": mine.project.may_change(request.user),
    }
    return render(request, "layers/comparison.html", context)


def _progress(request: HttpRequest, mine: Comparison) -> HttpResponse:
    response = render(request, "_job_progress.html", {"job": mine, "wait": wait_of(mine)})
    if mine.has_ended:
        response.headers["HX-Refresh"] = "true"
    return response


@require_safe
def dump_file(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The dump's tensor file."""
    dump = get_object_or_404(Dump.objects.visible_to(request.user).defer("layers"), pk=pk)
    word = "-simulated" if dump.simulated else "-imported" if dump.imported else ""
    return download(dump.sha256, f"{dump.rung}-{dump.pk}{word}.safetensors")
