"""Pages about access to a known board: its key, its host key, its probes."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard.boards import keys
from dashboard.boards.models import Board
from dashboard.evaluations.waiting import wait_of
from dashboard.projects.models import Project
from dashboard.registration import services
from dashboard.registration.access import access_to, seen_from
from dashboard.registration.drafts import Unfit
from dashboard.registration.forms import PinForm, ReasonForm
from dashboard.registration.models import Probe
from dashboard.registration.views import steps_piece

SHOWN = 20


@require_safe
def access(request: HttpRequest, pk: int) -> HttpResponse:
    """How the site gets in: key, account, host key pinned and seen, the last probes."""
    board, _ = administered_board(request, pk)
    return render(request, "registration/access.html", _access_context(board, PinForm()))


@require_POST
def probe_board(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for a probe; one that is under way is shown."""
    board, project = administered_board(request, pk)
    return redirect(services.request_probe(board, project, request.user))


@require_POST
def admit(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a board into service that no probe has passed, with a reason."""
    board, _ = administered_board(request, pk)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return render(
            request, "registration/access.html", _access_context(board, PinForm(), form), status=422
        )
    services.admit(board, form.cleaned_data["reason"], request.user)
    return redirect(board)


@require_POST
def pin(request: HttpRequest, pk: int) -> HttpResponse:
    """Pin the host key that was seen last, with a reason; the board is probed with it."""
    board, project = administered_board(request, pk)
    form = PinForm(request.POST)
    if form.is_valid():
        said = form.cleaned_data
        try:
            services.pin_anew(board, said["fingerprint"], said["reason"], request.user)
            return redirect(services.request_probe(board, project, request.user))
        except Unfit as error:
            form.add_error("fingerprint", error.problems["fingerprint"])
    return render(request, "registration/access.html", _access_context(board, form), status=422)


@require_safe
def probe(request: HttpRequest, pk: int) -> HttpResponse:
    """A probe's steps. Whoever is no admin sees how they ended, not what was seen there."""
    rows = Probe.objects.visible_to(request.user).select_related(
        "project", "board", "registration", "first_run"
    )
    mine = get_object_or_404(rows.defer("log"), pk=pk)
    is_admin = _administers(request.user, mine)
    if request.headers.get("HX-Request"):
        return steps_piece(request, mine, is_admin)
    context = {"probe": mine, "project": mine.project, "board": mine.board, "wait": wait_of(mine)}
    return render(request, "registration/probe.html", context | {"is_admin": is_admin})


def administered_board(request: HttpRequest, pk: int) -> tuple[Board, Project]:
    """The board and a project that uses it and that the user administers. Raises Http404, PermissionDenied."""
    board = get_object_or_404(Board.objects.visible_to(request.user), pk=pk)
    project = Project.objects.administered_by(request.user).filter(boards=board).order_by("pk").first()
    if project is None:
        raise PermissionDenied
    return board, project


def _administers(user: Any, probe: Probe) -> bool:
    mine = Project.objects.administered_by(user)
    board = probe.board
    return mine.filter(boards=board).exists() if board else mine.filter(pk=probe.project_id).exists()


def _access_context(board: Board, form: PinForm, reason: ReasonForm | None = None) -> dict[str, Any]:
    shown = services.last_seen_key(board)
    return {
        "board": board,
        "form": form,
        "reason": reason or ReasonForm(),
        "is_new": board.reason == services.NEW,
        "pinned": keys.fingerprint(board.host_key),
        "shown": keys.fingerprint(shown) if shown and shown != board.host_key else "",
        "shown_kind": shown.split()[0] if shown else "",
        "key_lost": services.public_key_of(board) == "",
        "access": access_to(board, services.public_key_of(board), shown or board.host_key, seen_from(board)),
        "probes": board.probes.defer("log", "steps").order_by("-pk")[:SHOWN],
    }
