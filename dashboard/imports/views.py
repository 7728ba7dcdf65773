"""Pages of imports: the list, the upload, one import with its scores and tables; comparing any two dumps."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.downloads import download
from dashboard.evaluations.waiting import wait_of
from dashboard.imports import services
from dashboard.imports.charts import scores_chart, times_chart
from dashboard.imports.forms import CompareForm, ImportForm
from dashboard.imports.models import Import, ImportedTable, TableKind
from dashboard.imports.shown import score_tables
from dashboard.jobs.models import ENDED
from dashboard.layers.services import request_comparison
from dashboard.pageform import status_of
from dashboard.projects.access import developer_in, membership_in
from dashboard.projects.models import CHANGERS
from dashboard.registry.services import Refused
from dashboard.registry.uploading import takes_files

SHOWN_ROWS = 2000  # of each table; the API has all


@require_safe
def imports(request: HttpRequest, slug: str) -> HttpResponse:
    """All imports of a project, newest first."""
    membership = membership_in(slug, request.user)
    rows = Import.objects.filter(project=membership.project).select_related("created_by")
    context = {
        "project": membership.project,
        "imports": Paginator(rows.defer("log", "ignored").order_by("-pk"), 50).get_page(
            request.GET.get("page")
        ),
        "may_change": membership.role in CHANGERS,
    }
    return render(request, "imports/imports.html", context)


@takes_files
@require_http_methods(["GET", "HEAD", "POST"])
def new_import(request: HttpRequest, slug: str) -> HttpResponse:
    """Upload what the vendor's tools made."""
    project = developer_in(slug, request.user)
    form = ImportForm(project, request.POST or None, request.FILES or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                made, _ = services.request_import(
                    project,
                    form.cleaned_data["name"],
                    form.upload(),
                    request.user,
                    form.cleaned_data["reference"],
                )
                return redirect(made)
            except Refused as refused:
                form.refuse(refused)
                status = status_of(refused)
    return render(request, "imports/import_new.html", {"project": project, "form": form}, status=status)


@require_safe
def imported(request: HttpRequest, pk: int) -> HttpResponse:
    """An import: what was recognised, the vendor's figures beside ours, its dumps and tables."""
    mine = get_object_or_404(
        Import.objects.visible_to(request.user)
        .select_related("project", "created_by", "reference")
        .defer("log", "reference__layers"),
        pk=pk,
    )
    if request.headers.get("HX-Request"):
        return _progress(request, mine)
    context = {"imported": mine, "job": mine, "wait": wait_of(mine), "project": mine.project}
    context |= {"may_change": mine.project.may_change(request.user), "shown_rows": SHOWN_ROWS}
    if mine.is_good:
        context |= _contents(mine)
    return render(request, "imports/import.html", context)


def _progress(request: HttpRequest, mine: Import) -> HttpResponse:
    """The state while it is read, nothing while its dumps are compared; the whole page when that has ended."""
    if request.GET.get("comparing") == "1":
        response = HttpResponse(status=204)
        is_done = not services.comparisons_of(mine).exclude(state__in=ENDED).exists()
    else:
        response = render(request, "_job_progress.html", {"job": mine, "wait": wait_of(mine)})
        is_done = mine.has_ended
    if is_done:
        response.headers["HX-Refresh"] = "true"
    return response


def _contents(mine: Import) -> dict[str, Any]:
    """What the page shows of an import that ended well."""
    comparisons = list(services.comparisons_of(mine))
    tables = score_tables(mine, comparisons)
    others = list(mine.tables.all())
    return {
        "dumps": mine.dumps.select_related("dump").defer("dump__layers"),
        "comparisons": comparisons,
        "is_comparing": any(not comparison.has_ended for comparison in comparisons),
        "score_tables": tables,
        "scores_chart": scores_chart(tables) if tables else None,
        "timed": [
            (table, times_chart(table) if table.rows else None) for table in _of(others, TableKind.TIMES)
        ],
        "compiled": _of(others, TableKind.COMPILED),
        "quantized": _of(others, TableKind.QUANTIZATION),
    }


def _of(tables: list[ImportedTable], kind: TableKind) -> list[ImportedTable]:
    return [table for table in tables if table.kind == kind]


@require_safe
def import_file(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The upload as it came."""
    mine = get_object_or_404(Import.objects.visible_to(request.user).defer("log"), pk=pk)
    return download(mine.sha256, mine.filename)


@require_http_methods(["GET", "HEAD", "POST"])
def compare_dumps(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for the comparison of any two dumps of the project, whoever made them."""
    project = developer_in(slug, request.user)
    form = CompareForm(project, request.POST or None, initial=_numbers(request))
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        return redirect(request_comparison(data["reference"], data["candidate"], request.user))
    status = 422 if form.errors else 200
    return render(request, "imports/compare.html", {"project": project, "form": form}, status=status)


def _numbers(request: HttpRequest) -> dict[str, str]:
    """Which dumps the page that led here meant."""
    return {
        name: text for name in ("reference", "candidate") if (text := request.GET.get(name, "")).isdecimal()
    }
