"""Which boards a person may see, reserve and take out of service. Strangers find nothing, members may too little."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from dashboard.boards.models import Board
from dashboard.projects.models import CHANGERS, Membership, Project

SECRET = ("private_key",)


def visible_board(request: HttpRequest, pk: int) -> Board:
    """The board, for members of a project that may use it. Raises Http404."""
    boards = Board.objects.visible_to(request.user).select_related("reserved_by").defer(*SECRET)
    return get_object_or_404(boards, pk=pk)


def usable_board(request: HttpRequest, pk: int) -> Board:
    """The board, for those who may ask it for runs. Raises Http404, PermissionDenied."""
    mine = visible_board(request, pk)
    if not may_use(request.user, mine):
        raise PermissionDenied
    return mine


def administered_board(request: HttpRequest, pk: int) -> Board:
    """The board, for admins of a project that may use it. Raises Http404, PermissionDenied."""
    mine = visible_board(request, pk)
    if not is_administered(request.user, mine):
        raise PermissionDenied
    return mine


def may_use(user: Any, board: Board) -> bool:
    """May the user ask this board for runs?"""
    return Membership.objects.filter(user=user, role__in=CHANGERS, project__boards=board).exists()


def is_administered(user: Any, board: Board) -> bool:
    """Is the user an admin of a project that may use the board?"""
    return Project.objects.administered_by(user).filter(boards=board).exists()
