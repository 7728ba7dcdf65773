"""The forms on a board's page that reserve it, give it back and drain it, and what they and its queue show."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from dashboard.boards.access import administered_board, is_administered, may_use, usable_board
from dashboard.boards.models import Board, Lane, Run
from dashboard.boards.reservations import NotReserved
from dashboard.boards.reservations import release as release_board
from dashboard.boards.reservations import reserve as reserve_board
from dashboard.boards.services import drain as drain_board
from dashboard.jobs.listing import with_titles
from dashboard.pageform import PageForm

SHOWN = 10


class ReservationForm(PageForm):
    """For how long, and whether even runs for the board's health must wait."""

    hours = forms.FloatField(min_value=0.1, max_value=1000, initial=2, label="Hours")
    undisturbed = forms.BooleanField(required=False, label="No health runs meanwhile")


def about_service(board: Board, user: Any) -> dict[str, Any]:
    """What `_reservation.html` and `_queue.html` show of the board."""
    is_mine = board.is_reserved and board.reserved_by_id == user.pk
    return {
        "reservation_form": ReservationForm(),
        "may_reserve": may_use(user, board) and (is_mine or not board.is_reserved),
        "may_release": board.is_reserved and (is_mine or is_administered(user, board)),
        "is_mine": is_mine,
        "queued": queued_for(board, user),
    }


def queued_for(board: Board, user: Any) -> list[Run]:
    """The first of the user's runs that this board could do, in the order of the queue."""
    here = Q(wanted_board__isnull=True) | Q(wanted_board=board.pk)
    lanes = [lane.pk for lane in Lane.objects.served_by(board)]
    runs = with_titles(Run.objects.visible_to(user).waiting()).filter(here, site=board.site, lane__in=lanes)
    return list(runs.order_by("-rank", "pk")[:SHOWN])


@require_POST
def reserve(request: HttpRequest, pk: int) -> HttpResponse:
    """Reserve the board, or move the end of one's own reservation."""
    mine, form = usable_board(request, pk), ReservationForm(request.POST)
    if form.is_valid():
        until = timezone.now() + timedelta(hours=form.cleaned_data["hours"])
        try:
            reserve_board(mine, request.user, until, form.cleaned_data["undisturbed"])
            messages.success(request, f"{mine} is yours until {until:%Y-%m-%d %H:%M} UTC.")
        except NotReserved as error:
            messages.error(request, str(error))
    else:
        messages.error(request, "Hours: " + " ".join(map(str, form.errors.get("hours", []))))
    return redirect(mine)


@require_POST
def release(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the board back; admins end anybody's reservation."""
    mine = usable_board(request, pk)
    try:
        release_board(mine, request.user, is_administered(request.user, mine))
        messages.success(request, f"The reservation of {mine} is over.")
    except NotReserved as error:
        messages.error(request, str(error))
    return redirect(mine)


@require_POST
def drain(request: HttpRequest, pk: int) -> HttpResponse:
    """Let the board end what it runs, then pause."""
    reason = request.POST.get("reason", "").strip()
    mine = administered_board(request, pk)
    drain_board(mine, reason or f"drained by {request.user}", request.user)
    messages.success(request, f"{mine} gets no new runs, and pauses when what it runs has ended.")
    return redirect(mine)
