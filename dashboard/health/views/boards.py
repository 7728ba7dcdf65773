"""Pages of a board's health: its checks with a chart of times, its incidents, and its power switch."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.boards.access import administered_board, is_administered, visible_board
from dashboard.evaluations.waiting import wait_of
from dashboard.health import checks as check_verbs
from dashboard.health import incidents as incident_verbs
from dashboard.health import power as power_verbs
from dashboard.health import shown, switches
from dashboard.health.forms import PowerForm
from dashboard.health.golden import NotGolden
from dashboard.health.models import Cause, HealthCheck, Incident, Outcome, PowerCycle, PowerSwitch
from dashboard.health.views.golden import must_administer
from dashboard.projects.models import Role


@require_safe
def health(request: HttpRequest, pk: int) -> HttpResponse:
    """The board's checks with golden models of the user's projects: their outcomes, and their times as a chart."""
    board = visible_board(request, pk)
    rows = shown.checks_of(board, request.user)
    page = Paginator(rows, 50).get_page(request.GET.get("page"))
    context = {
        "board": board,
        "checks": page,
        "chart": shown.times_chart(list(rows.exclude(outcome="")[: shown.CHART_CHECKS]), board.simulated),
    }
    return render(request, "health/board_health.html", context)


@require_POST
def check_now(request: HttpRequest, pk: int) -> HttpResponse:
    """Check the board with its golden model as soon as it is free."""
    board = administered_board(request, pk)
    if check_verbs.under_way(board):
        messages.info(request, "It is being checked already.")
    elif check_verbs.request_check(board, Cause.ASKED, f"{request.user} asked", user=request.user) is None:
        messages.error(request, "No golden model fits this board: name one on the page of a good run.")
    else:
        messages.success(request, "It is checked as soon as it is free.")
    return redirect("board-health", pk=board.pk)


@require_safe
def check(request: HttpRequest, pk: int) -> HttpResponse:
    """One check with its evidence."""
    mine = _check(request, pk)
    if request.headers.get("HX-Request"):
        response = render(request, "_job_progress.html", {"job": mine, "wait": wait_of(mine)})
        if mine.has_ended:
            response.headers["HX-Refresh"] = "true"
        return response
    may_accept = mine.outcome in {Outcome.DIFFERS, Outcome.NEW_STACK}
    is_admin = mine.project.role_of(request.user) == Role.ADMIN
    context = {
        "check": mine,
        "job": mine,
        "wait": wait_of(mine),
        "project": mine.project,
        "board": mine.board,
        "outputs": mine.evidence.get("outputs", {}),
        "confirmations": mine.confirmations.order_by("pk").defer("log"),
        "may_accept": may_accept and is_admin,
        "accepted": may_accept and mine.golden.outputs.filter(run=mine.run).exists(),
    }
    return render(request, "health/check.html", context)


@require_POST
def accept(request: HttpRequest, pk: int) -> HttpResponse:
    """The outputs that the check found are right for the stack that it ran on."""
    mine = _check(request, pk)
    must_administer(mine.project, request)
    try:
        check_verbs.accept_outputs(mine, request.user)
    except NotGolden as error:
        messages.error(request, str(error))
    else:
        messages.info(request, "These are the right outputs for this runtime from now on.")
    return redirect(mine)


@require_safe
def incidents(request: HttpRequest, pk: int) -> HttpResponse:
    """What happened to the board outside the ordinary, the open incidents first."""
    board = visible_board(request, pk)
    page = Paginator(shown.incident_rows(board, request.user), 50).get_page(request.GET.get("page"))
    context = {
        "board": board,
        "page": page,
        "incidents": [shown.as_shown(row) for row in page],
        "is_admin": is_administered(request.user, board),
    }
    return render(request, "health/incidents.html", context)


@require_POST
def close_incident(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody has looked at it and says that it is over."""
    incident = get_object_or_404(Incident.objects.visible_to(request.user), pk=pk)
    administered_board(request, incident.board_id)
    incident_verbs.close(incident, request.user)
    return redirect("board-incidents", pk=incident.board_id)


@require_http_methods(["GET", "HEAD", "POST"])
def power(request: HttpRequest, pk: int) -> HttpResponse:
    """How the board's power is switched; for admins."""
    board = administered_board(request, pk)
    switch = PowerSwitch.objects.filter(board=board).select_related("updated_by").first()
    before, trouble = _configuration(switch)
    form = PowerForm(request.POST or None, initial=_initial(switch, before))
    if request.method == "POST" and form.is_valid():
        try:
            switches.configure(
                board, form.configuration(before), form.cleaned_data["automatic"], request.user
            )
        except switches.BadSwitch as error:
            form.add_error(None, str(error))
        else:
            messages.info(request, "The power switch is set up.")
            return redirect("board-power", pk=board.pk)
    context = {
        "board": board,
        "switch": switch,
        "told": before,
        "trouble": trouble,
        "form": form,
        "cycles": PowerCycle.objects.filter(board=board).order_by("-pk").defer("log")[:20],
        "restarts": power_verbs.restarts_lately(board),
    }
    return render(request, "health/power.html", context, status=422 if form.errors else 200)


@require_POST
def power_cycle(request: HttpRequest, pk: int) -> HttpResponse:
    """Restart the board as soon as the run that holds it has ended."""
    board = administered_board(request, pk)
    try:
        power_verbs.request_by_hand(board, request.user)
    except power_verbs.CannotSwitch as error:
        messages.error(request, str(error))
    return redirect("board-power", pk=board.pk)


@require_POST
def power_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Nobody switches this board's power any more."""
    board = administered_board(request, pk)
    switches.remove(board, request.user)
    return redirect("board-power", pk=board.pk)


def _configuration(switch: PowerSwitch | None) -> tuple[switches.Configuration | None, str]:
    try:
        return (switches.configuration_of(switch) if switch else None), ""
    except switches.BadSwitch as error:
        return None, str(error)


def _initial(switch: PowerSwitch | None, told: switches.Configuration | None) -> dict[str, Any]:
    if switch is None or told is None:
        return {"reboot": "reboot"}
    return {
        "kind": told.kind,
        "reboot": " ".join(told.reboot),
        "pause_s": told.pause_s,
        "method": told.method,
        "automatic": switch.automatic,
    }


def _check(request: HttpRequest, pk: int) -> HealthCheck:
    rows = HealthCheck.objects.visible_to(request.user).select_related(
        "project", "board", "golden", "run", "confirms"
    )
    found: HealthCheck = get_object_or_404(rows.defer("log", "run__log"), pk=pk)
    return found
