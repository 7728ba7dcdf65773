"""Pages of evaluations, and the side-by-side comparison of two runs."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.boards.models import Run
from dashboard.conversions.compiled import is_same_graph
from dashboard.conversions.presets import Preset, find_preset
from dashboard.evaluations import services
from dashboard.evaluations.forms import EvaluationForm
from dashboard.evaluations.models import Evaluation
from dashboard.evaluations.shown import jobs_of, mark, shown_legs, with_legs
from dashboard.evaluations.sidebyside import SideBySide, side_by_side
from dashboard.evaluations.waiting import wait_of, waits
from dashboard.jobs.listing import with_titles
from dashboard.layers.charts import labels_of, layers_chart
from dashboard.layers.services import request_comparison
from dashboard.projects.access import must_change
from dashboard.registry.models import ModelVersion
from dashboard.registry.services import Refused


@require_http_methods(["GET", "HEAD", "POST"])
def new_evaluation(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for numbers about every route of a version."""
    version = get_object_or_404(
        ModelVersion.objects.visible_to(request.user).select_related("model__project"), pk=pk
    )
    must_change(version.project, request.user)
    form = EvaluationForm(version, request.POST or None, like=_like(request), preset=_preset(request))
    if request.method == "POST" and form.is_valid():
        try:
            made, _ = services.request_evaluation(version, form.wanted(), request.user)
            return redirect(made)
        except Refused as refused:
            form.refuse(refused)
    context = {"version": version, "model": version.model, "project": version.project, "form": form}
    return render(request, "evaluations/evaluation_new.html", context, status=422 if form.errors else 200)


@require_safe
def evaluation(request: HttpRequest, pk: int) -> HttpResponse:
    """An evaluation: verdicts, progress, the layers of every leg. Asked by htmx, only the progress is sent."""
    mine = get_object_or_404(with_legs(Evaluation.objects.visible_to(request.user)), pk=pk)
    if request.headers.get("HX-Request"):
        return _progress(request, mine)
    legs = shown_legs(mine)
    context = _about(mine) | {
        "legs": legs,
        "simulated": any(leg.simulated for leg in legs),
        "same_graph": is_same_graph([leg.artifact for leg in legs]),
        "run_only": mine.recipe.value.is_run_only,
        "measured": any(leg.rows or leg.result for leg in legs),
        "may_change": mine.project.may_change(request.user),
        "run_ids": [leg.leg.run_id for leg in legs if leg.result],
    }
    return render(request, "evaluations/evaluation.html", context)


@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel what is under way."""
    mine = get_object_or_404(Evaluation.objects.visible_to(request.user).select_related("project"), pk=pk)
    must_change(mine.project, request.user)
    if not mine.has_ended:
        services.cancel_evaluation(mine, request.user)
    return redirect(mine)


@require_http_methods(["GET", "HEAD", "POST"])
def compare(request: HttpRequest) -> HttpResponse:
    """Two runs side by side (`?a=<run>&b=<run>`); a POST asks to match their layers by value."""
    chosen = request.POST if request.method == "POST" else request.GET
    first, second = (_run(request.user, chosen.get(name)) for name in "ab")
    if request.method == "POST":
        return _match(request, first, second)
    context: dict[str, Any] = {"runs": _measured(request.user).order_by("-pk")[:100], "a": first, "b": second}
    if first and second:
        found = side_by_side(first, second)
        if request.headers.get("HX-Request"):
            return _matching_progress(request, found)
        charts = [
            layers_chart(one.rows, one.result.simulated, labels_of(one.run.artifact.is_run_only))
            for one in (found.first, found.second)
        ]
        context |= {"wait": wait_of(found.matching) if found.matching else None}
        context |= {"found": found, "charts": charts, "may_match": _may_match(request.user, first, second)}
    return render(request, "evaluations/compare.html", context)


def _like(request: HttpRequest) -> Evaluation | None:
    """The evaluation to ask again (`?like=<evaluation>`). Raises Http404 for one that the user may not see."""
    text = request.GET.get("like")
    if not text:
        return None
    seen: QuerySet[Evaluation] = Evaluation.objects.visible_to(request.user).select_related("recipe")
    return get_object_or_404(seen, pk=_number(text))


def _preset(request: HttpRequest) -> Preset | None:
    """The preset to fill in (`?preset=<key>`). Raises Http404 for one that there is not."""
    key = request.GET.get("preset")
    if not key:
        return None
    preset = find_preset(key)
    if preset is None:
        raise Http404
    return preset


def _progress(request: HttpRequest, mine: Evaluation) -> HttpResponse:
    response = render(request, "evaluations/_progress.html", _about(mine))
    if request.GET.get("mark") != mark(mine):
        response.headers["HX-Refresh"] = "true"
    return response


def _about(mine: Evaluation) -> dict[str, Any]:
    jobs = jobs_of(mine)
    waiting = waits(jobs)
    return {
        "evaluation": mine,
        "version": mine.version,
        "model": mine.version.model,
        "project": mine.project,
        "jobs": [(job, waiting.get(job)) for job in jobs],
        "mark": mark(mine),
    }


def _measured(user: Any) -> QuerySet[Run]:
    """The runs that brought a result and that the user may see."""
    needed: QuerySet[Run] = with_titles(Run.objects.visible_to(user)).select_related("result", "project")
    return needed.filter(result__isnull=False)


def _run(user: Any, text: str | None) -> Run | None:
    """The run of this number; None when none is named. Raises Http404 for one that the user may not see."""
    if not text:
        return None
    return get_object_or_404(_measured(user), pk=_number(text))


def _number(text: str) -> int:
    """A row's number out of an address. Raises Http404 for anything else."""
    if not text.isdecimal() or len(text) > 18:
        raise Http404
    return int(text)


def _may_match(user: Any, first: Run, second: Run) -> bool:
    """A comparison belongs to one project, so both runs must be of it."""
    has_floats = all(run.artifact.framework_id for run in (first, second))
    return has_floats and first.project_id == second.project_id and second.project.may_change(user)


def _match(request: HttpRequest, first: Run | None, second: Run | None) -> HttpResponse:
    if first is None or second is None or first.project_id != second.project_id:
        raise Http404
    must_change(second.project, request.user)
    one, other = first.artifact.framework, second.artifact.framework
    if one is None or other is None:  # of a ready file: the page does not offer it
        raise Http404
    request_comparison(one, other, request.user)
    return redirect(f"{request.path}?a={first.pk}&b={second.pk}")


def _matching_progress(request: HttpRequest, found: SideBySide) -> HttpResponse:
    response = render(
        request,
        "_job_progress.html",
        {"job": found.matching, "wait": wait_of(found.matching) if found.matching else None},
    )
    if found.matching is None or found.matching.has_ended:
        response.headers["HX-Refresh"] = "true"
    return response
