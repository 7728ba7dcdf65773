"""Pages that lead through a registration: what the board is, its host key, access, the first probe."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.evaluations.waiting import wait_of
from dashboard.projects.access import admin_in
from dashboard.projects.models import Project
from dashboard.registration import services
from dashboard.registration.access import access_to, seen_from
from dashboard.registration.drafts import Unfit
from dashboard.registration.forms import BoardForm, FingerprintForm
from dashboard.registration.models import Probe, Registration


@sensitive_post_parameters("private_key")
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
def board_new(request: HttpRequest, slug: str) -> HttpResponse:
    """The form for a new board, and what was begun and not finished; a good form begins a registration."""
    project = admin_in(slug, request.user)
    others = Project.objects.administered_by(request.user).exclude(pk=project.pk).order_by("name")
    like = Registration.objects.filter(project=project, pk=_number(request.GET.get("like", ""))).first()
    initial = BoardForm.like(like) if like else None
    form = BoardForm(project, list(others), settings.SITES, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect(services.begin(project, form.projects(), form.draft(), request.user))
        except Unfit as error:
            form.unfit(error)
    context = {
        "project": project,
        "form": form,
        "open": Registration.objects.open().filter(project=project)[:50],
    }
    return render(request, "registration/board_new.html", context, status=422 if form.errors else 200)


@require_safe
def registration(request: HttpRequest, pk: int) -> HttpResponse:
    """Where a registration stands: the steps of the last look or probe, and what to do next."""
    mine = _administered(request, pk)
    probe = _last_probe(mine)
    if request.headers.get("HX-Request"):
        return steps_piece(request, probe)
    return render(request, "registration/registration.html", _context(mine, probe, FingerprintForm()))


@require_POST
def look(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask a worker again for the host key."""
    mine = _administered(request, pk)
    if mine.confirmed_at is None:
        services.look(mine, request.user)
    return redirect(mine)


@require_POST
def confirm(request: HttpRequest, pk: int) -> HttpResponse:
    """Pin the host key, if what was read on the board agrees."""
    mine = _administered(request, pk)
    form = FingerprintForm(request.POST)
    if form.is_valid():
        try:
            services.confirm(mine, form.cleaned_data["fingerprint"], request.user)
            return redirect(mine)
        except Unfit as error:
            form.add_error("fingerprint", error.problems["fingerprint"])
    return render(
        request, "registration/registration.html", _context(mine, _last_probe(mine), form), status=422
    )


@require_POST
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a registration that was not confirmed."""
    mine = _administered(request, pk)
    services.discard(mine, request.user)
    messages.info(request, f"{mine.name} was not registered; its key is deleted.")
    return redirect("board-new", mine.project.slug)


def steps_piece(request: HttpRequest, probe: Probe | None, is_admin: bool = True) -> HttpResponse:
    """The steps alone, for the page that polls; the whole page is loaded again when nothing will change any more."""
    piece = {"probe": probe, "wait": wait_of(probe) if probe else None, "is_admin": is_admin}
    response = render(request, "registration/_steps.html", piece)
    if probe is None or not probe.is_under_way:
        response.headers["HX-Refresh"] = "true"
    return response


def _context(mine: Registration, probe: Probe | None, form: FingerprintForm) -> dict[str, Any]:
    return {
        "registration": mine,
        "project": mine.project,
        "board": mine.board,
        "projects": mine.projects.order_by("name"),
        "probe": probe,
        "wait": wait_of(probe) if probe else None,
        "is_admin": True,
        "is_new": bool(mine.board and mine.board.reason == services.NEW),
        "form": form,
        "access": access_to(mine, mine.public_key, mine.host_key, seen_from(mine.board or mine)),
    }


def _last_probe(mine: Registration) -> Probe | None:
    """The board's last probe once there is a board, before that the last look."""
    probes = Probe.objects.filter(board=mine.board) if mine.board else Probe.objects.filter(registration=mine)
    found: Probe | None = probes.select_related("first_run", "board").order_by("-pk").first()
    return found


def _administered(request: HttpRequest, pk: int) -> Registration:
    rows = Registration.objects.visible_to(request.user).select_related("project", "board", "created_by")
    mine = get_object_or_404(rows, pk=pk)
    if not Project.objects.administered_by(request.user).filter(pk=mine.project_id).exists():
        raise PermissionDenied
    return mine


def _number(text: str) -> int:
    """The id that the address names; 0, which no row has, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
