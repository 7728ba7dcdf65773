"""Pages of twin checks: a project's list, asking for one, and what came of it."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.boards.models import RunResult
from dashboard.evaluations.waiting import wait_of
from dashboard.health import twins as verbs
from dashboard.health.forms import TwinForm
from dashboard.health.models import TwinCheck
from dashboard.projects.access import developer_in, membership_in
from dashboard.projects.models import CHANGERS

RUNS = ("first_run", "second_run", "referee_run")


@require_safe
def twin_checks(request: HttpRequest, slug: str) -> HttpResponse:
    """The project's twin checks, newest first."""
    membership = membership_in(slug, request.user)
    rows = (
        TwinCheck.objects.filter(project=membership.project)
        .select_related(
            "first_run__wanted_board",
            "second_run__wanted_board",
            "artifact__conversion__source__version__model",
        )
        .defer("log", "first_run__log", "second_run__log")
        .order_by("-pk")
    )
    page = Paginator(rows, 50).get_page(request.GET.get("page"))
    context = {
        "project": membership.project,
        "twins": page,
        "may_change": membership.role in CHANGERS,
    }
    return render(request, "health/twins.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def twin_new(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for the same artifact on two boards."""
    project = developer_in(slug, request.user)
    form = TwinForm(project, request.POST or None, initial={"artifact": request.GET.get("artifact")})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            pair = (data["first"], data["second"])
            twin = verbs.request_twin_check(data["artifact"], request.user, pair, data["iterations"])
        except verbs.CannotCompare as error:
            form.add_error(None, str(error))
        else:
            return redirect(twin)
    context = {"project": project, "form": form}
    return render(request, "health/twin_new.html", context, status=422 if form.errors else 200)


@require_safe
def twin_check(request: HttpRequest, pk: int) -> HttpResponse:
    """What two boards made of one artifact: outputs, first differing layer, times, who stands alone."""
    rows = TwinCheck.objects.visible_to(request.user).select_related(
        "project",
        "artifact__conversion__source__version__model",
        "comparison",
        "bad_board",
        *(f"{run}__wanted_board" for run in RUNS),
    )
    twin = get_object_or_404(rows.defer("log", *(f"{run}__log" for run in RUNS)), pk=pk)
    if request.headers.get("HX-Request"):
        response = render(request, "_job_progress.html", {"job": twin, "wait": wait_of(twin)})
        if twin.has_ended:
            response.headers["HX-Refresh"] = "true"
        return response
    runs = [run for run in (twin.first_run, twin.second_run, twin.referee_run) if run]
    results = {result.run_id: result for result in RunResult.objects.filter(run__in=runs)}
    context = {
        "twin": twin,
        "job": twin,
        "wait": wait_of(twin),
        "project": twin.project,
        "artifact": twin.artifact,
        "answers": [(run, results.get(run.pk)) for run in runs],
        "outputs": twin.evidence.get("outputs", {}),
        "simulated": any(result.simulated for result in results.values()),
    }
    return render(request, "health/twin.html", context)
