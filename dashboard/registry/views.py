"""Pages of models, versions, sources and input sets."""

from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.downloads import download
from dashboard.evaluations.latest import with_origin
from dashboard.evaluations.models import Evaluation
from dashboard.lint.shown import attach_sums
from dashboard.pageform import status_of
from dashboard.projects.access import developer_in, membership_in, must_change
from dashboard.projects.models import CHANGERS
from dashboard.registry import services
from dashboard.registry.forms import InputSetForm, RegisterForm, VersionForm
from dashboard.registry.models import InputSet, Layout, ModelVersion, Purpose, RegisteredModel, Source
from dashboard.registry.uploading import takes_files

SOURCES = Prefetch("sources", Source.objects.select_related("inspection").defer("inspection__log"))


@require_http_methods(["GET", "HEAD", "POST"])
def new_model(request: HttpRequest, slug: str) -> HttpResponse:
    """Register a model; its first version is uploaded on the next page."""
    project = developer_in(slug, request.user)
    form = RegisterForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        made = services.register_model(project, data["name"], request.user, data["description"])
        return redirect("version-new", made.pk)
    status = 422 if form.errors else 200
    return render(request, "registry/model_new.html", {"project": project, "form": form}, status=status)


@require_safe
def model(request: HttpRequest, pk: int) -> HttpResponse:
    """A model: its versions, newest first, with what the inspection found in each file."""
    mine = get_object_or_404(
        RegisteredModel.objects.visible_to(request.user).select_related("project", "created_by"), pk=pk
    )
    rows = mine.versions.select_related("created_by").prefetch_related(
        SOURCES, Prefetch("evaluations", with_origin(Evaluation.objects.all()).prefetch_related("legs"))
    )
    context = {
        "model": mine,
        "project": mine.project,
        "versions": Paginator(rows, 10).get_page(request.GET.get("page")),
        "may_change": mine.project.may_change(request.user),
    }
    return render(request, "registry/model.html", context)


@takes_files
@require_http_methods(["GET", "HEAD", "POST"])
def new_version(request: HttpRequest, pk: int) -> HttpResponse:
    """Upload the files of a version."""
    mine = get_object_or_404(
        RegisteredModel.objects.visible_to(request.user).select_related("project"), pk=pk
    )
    must_change(mine.project, request.user)
    form = VersionForm(request.POST or None, request.FILES or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                made, _ = services.upload_version(mine, form.uploads(), request.user, form.origin())
                return redirect(made)
            except services.Refused as refused:
                form.refuse(refused)
                status = status_of(refused)
    context = {"model": mine, "project": mine.project, "form": form}
    return render(request, "registry/version_new.html", context, status=status)


@require_safe
def version(request: HttpRequest, pk: int) -> HttpResponse:
    """A version: its routes with their inspections, and its evaluations."""
    mine = get_object_or_404(
        ModelVersion.objects.visible_to(request.user)
        .select_related("model__project", "created_by")
        .prefetch_related(SOURCES),
        pk=pk,
    )
    attach_sums(mine, mine.sources.all())
    evaluations = with_origin(mine.evaluations.select_related("recipe", "board", "created_by"))
    evaluations = evaluations.prefetch_related("legs__source")
    context = {
        "version": mine,
        "model": mine.model,
        "project": mine.project,
        "evaluations": Paginator(evaluations, 20).get_page(request.GET.get("page")),
        "may_change": mine.project.may_change(request.user),
        "is_refused": all(_has_failed(source) for source in mine.sources.all()),
        "is_inspecting": any(not source.inspection.has_ended for source in mine.sources.all()),
    }
    if request.headers.get("HX-Request"):
        return render(request, "registry/_sources.html", context)
    return render(request, "registry/version.html", context)


def _has_failed(source: Source) -> bool:
    return source.inspection.has_ended and not source.inspection.is_good


@require_safe
def source_file(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The uploaded model file."""
    source = get_object_or_404(Source.objects.visible_to(request.user), pk=pk)
    return download(source.sha256, source.filename)


@takes_files
@require_http_methods(["GET", "HEAD", "POST"])
def new_input_set(request: HttpRequest, slug: str) -> HttpResponse:
    """Upload samples."""
    project = developer_in(slug, request.user)
    form = InputSetForm(request.POST or None, request.FILES or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            data = form.cleaned_data
            try:
                made, _ = services.upload_input_set(
                    project,
                    data["name"],
                    form.upload(),
                    Purpose(data["purpose"]),
                    request.user,
                    Layout(data["layout"]),
                )
                return redirect(made)
            except services.Refused as refused:
                form.refuse(refused)
                status = status_of(refused)
    return render(request, "registry/input_set_new.html", {"project": project, "form": form}, status=status)


@require_safe
def input_sets(request: HttpRequest, slug: str) -> HttpResponse:
    """All input sets of a project, newest first."""
    membership = membership_in(slug, request.user)
    rows = membership.project.input_sets.select_related("inspection", "created_by").defer("inspection__log")
    context = {
        "project": membership.project,
        "input_sets": Paginator(rows, 50).get_page(request.GET.get("page")),
        "may_change": membership.role in CHANGERS,
    }
    return render(request, "registry/input_sets.html", context)


@require_safe
def input_set(request: HttpRequest, pk: int) -> HttpResponse:
    """An input set and what the inspection found in it."""
    mine = get_object_or_404(
        InputSet.objects.visible_to(request.user).select_related("project", "inspection", "created_by"), pk=pk
    )
    context = {"input_set": mine, "project": mine.project}
    if request.headers.get("HX-Request"):
        return render(request, "registry/_samples.html", context)
    return render(request, "registry/input_set.html", context)


@require_safe
def input_set_file(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The samples as they were uploaded."""
    mine = get_object_or_404(InputSet.objects.visible_to(request.user), pk=pk)
    return download(mine.sha256, mine.filename)
