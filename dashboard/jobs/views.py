"""Pages of jobs: the list, one job with its log and failure, cancelling."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard.evaluations.waiting import wait_of
from dashboard.jobs.listing import Cursor, newest, with_titles, words
from dashboard.jobs.models import State, kind_named
from dashboard.pipeline import cancel_job, may_cancel


@require_safe
def jobs(request: HttpRequest) -> HttpResponse:
    """The jobs of the user's projects, newest first."""
    kind = request.GET.get("kind", "") if request.GET.get("kind", "") in words() else ""
    state = request.GET.get("state", "") if request.GET.get("state") in State.values else ""
    page = newest(request.user, kind, state, Cursor.parse(request.GET.get("after", "")))
    context = {"page": page, "kinds": words(), "states": State.values, "kind": kind, "state": state}
    return render(request, "jobs/jobs.html", context)


@require_safe
def job(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """A job: where it is, its log, and why it failed with what to do next."""
    mine = _job(request.user, kind, pk)
    if request.headers.get("HX-Request"):
        piece = {"job": mine, "wait": wait_of(mine), "shown_log": mine.log[-20_000:]}
        return render(request, "jobs/_job.html", piece)
    context = {
        "job": mine,
        "wait": wait_of(mine),
        "project": mine.project,
        "shown_log": mine.log[-20_000:],
        "may_cancel": may_cancel(mine, request.user),
        "own_page": mine.get_absolute_url() if mine.get_absolute_url() != request.path else "",
    }
    return render(request, "jobs/job.html", context)


@require_POST
def cancel(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """End a queued job, or ask a running one to stop."""
    mine = _job(request.user, kind, pk)
    if not may_cancel(mine, request.user):
        raise PermissionDenied
    cancel_job(mine, request.user)
    return redirect(mine)


@require_safe
def log(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """The whole log as plain text."""
    mine = _job(request.user, kind, pk)
    response = HttpResponse(mine.log, content_type="text/plain; charset=utf-8")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _job(user: Any, word: str, pk: int) -> Any:
    """The job of this kind and number. Any: only the concrete kinds have a page. Raises Http404."""
    kind = kind_named(word)
    if kind is None:
        raise Http404
    rows = with_titles(kind.objects.visible_to(user)).select_related("project", "created_by")
    return get_object_or_404(rows, pk=pk)
