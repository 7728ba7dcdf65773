"""Pages of golden models: a project's list, one with its outputs and checks, naming and retiring."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.boards.models import Run
from dashboard.health import golden as verbs
from dashboard.health.forms import GoldenForm
from dashboard.health.models import GoldenModel, HealthCheck
from dashboard.projects.access import membership_in
from dashboard.projects.models import Project, Role


@require_safe
def golden_models(request: HttpRequest, slug: str) -> HttpResponse:
    """The project's golden models, those in use first."""
    membership = membership_in(slug, request.user)
    rows = (
        GoldenModel.objects.filter(project=membership.project)
        .select_related("artifact__conversion__source__version__model", "created_by")
        .annotate(number_of_checks=Count("checks"))
        .order_by("retired_at", "platform", "-pk")
    )
    context = {"project": membership.project, "goldens": rows, "is_admin": membership.role == Role.ADMIN}
    return render(request, "health/golden_models.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def name(request: HttpRequest, pk: int) -> HttpResponse:
    """Make the artifact and outputs of a good run the golden model of their platform."""
    run = get_object_or_404(
        Run.objects.visible_to(request.user)
        .select_related("project", "artifact__conversion__source__version__model", "board", "result")
        .defer("log"),
        pk=pk,
    )
    must_administer(run.project, request)
    form = GoldenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            golden = verbs.name_golden_model(run, request.user, form.cleaned_data["runtime_version"])
        except verbs.NotGolden as error:
            form.add_error(None, str(error))
        else:
            return redirect(golden)
    context = {"run": run, "project": run.project, "form": form, "result": getattr(run, "result", None)}
    return render(request, "health/golden_new.html", context, status=422 if form.errors else 200)


@require_safe
def golden_model(request: HttpRequest, pk: int) -> HttpResponse:
    """One golden model: the right outputs on every stack, and the last checks with it."""
    golden = _golden(request, pk)
    checks = HealthCheck.objects.filter(golden=golden).select_related("board").order_by("-pk")
    context = {
        "golden": golden,
        "project": golden.project,
        "artifact": golden.artifact,
        "outputs": golden.outputs.select_related("accepted_by").order_by("-pk"),
        "checks": checks.defer("log", "board__private_key")[:30],
        "is_admin": golden.project.role_of(request.user) == Role.ADMIN,
    }
    return render(request, "health/golden_model.html", context)


@require_POST
def retire(request: HttpRequest, pk: int) -> HttpResponse:
    """Check no board with it any more."""
    golden = _golden(request, pk)
    must_administer(golden.project, request)
    verbs.retire(golden, request.user)
    messages.info(request, "It is retired. Boards are no longer checked with it.")
    return redirect(golden)


def must_administer(project: Project, request: HttpRequest) -> None:
    """Raises PermissionDenied for members who are no admins, Http404 for everybody else."""
    role = project.role_of(request.user)
    if role is None:
        raise Http404
    if role != Role.ADMIN:
        raise PermissionDenied


def _golden(request: HttpRequest, pk: int) -> GoldenModel:
    rows = GoldenModel.objects.visible_to(request.user).select_related(
        "project", "artifact__conversion__source__version__model", "artifact__conversion__recipe"
    )
    found: GoldenModel = get_object_or_404(rows, pk=pk)
    return found
