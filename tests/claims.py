"""A worker that takes just this run: by the product's own moves, where a test is not about whose turn it is."""

from django.db import transaction

from dashboard.boards.models import Board, Run
from dashboard.boards.queue import suits
from dashboard.boards.services import forget_telling


def claim_with_board(run: Run, owner: str) -> bool:
    """Claim just this run and a free board for it in one transaction; neither without the other.

    When no board is free any more, the run counts as never told of, so that it is told of when one is free again.
    """
    with transaction.atomic():
        for board in _open_boards(run):
            if not run.claim(owner):
                return False
            if run.hold(board) is not None:
                return True
            run.put_back(run.fence, refund=True)
    forget_telling(run)
    return False


def _open_boards(run: Run) -> list[Board]:
    boards = Board.objects.open_to(run).filter(projects=run.project_id, site=run.site)
    if run.wanted_board_id:
        boards = boards.filter(pk=run.wanted_board_id)
    lane = run.lane
    return [board for board in boards.order_by("seen_at", "pk") if lane and suits(board, lane)]
