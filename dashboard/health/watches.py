"""When a board is looked at next: on schedule, spread over time; sooner after an incident, later after vain tries."""

from django.conf import settings
from django.db.models import QuerySet

from dashboard.boards.models import Board
from dashboard.health.models import BoardWatch, Cause
from dashboard.jobs.models import in_seconds

REST_SECONDS = 10  # a board out of reach is left alone for so long, and for longer after ten tries
MOST_REST_SECONDS = 300
QUICK_TRIES = 10
GOLDEN_RATIO = 0.6180339887


def interval_s() -> float:
    """Seconds between two scheduled checks of a board."""
    return settings.HEALTH_HOURS * 3600


def rest_s(tries: int) -> float:
    """Seconds until a board out of reach is tried again, after so many tries in vain."""
    return min(REST_SECONDS * 2.0 ** min(max(0, tries - QUICK_TRIES), 10), MOST_REST_SECONDS)


def look_again(
    board: Board, after_s: float, cause: Cause = Cause.SCHEDULE, because: str = "", tries: int = 0
) -> None:
    """The board is looked at in so many seconds."""
    BoardWatch.objects.update_or_create(
        board=board,
        defaults={"due_at": in_seconds(after_s), "cause": cause, "because": because[:200], "tries": tries},
    )


def look_on_schedule(board: Board) -> None:
    """The next look is the ordinary one."""
    look_again(board, interval_s())


def look_now(board: Board, cause: Cause, because: str) -> None:
    """The board is checked as soon as it is free."""
    look_again(board, 0, cause, because)


def spread(boards: QuerySet[Board], within_s: float) -> int:
    """Look at these boards some time within so many seconds, evenly spread; how many they are."""
    found = list(boards.only("pk"))
    for board in found:
        look_again(board, within_s * ((board.pk * GOLDEN_RATIO) % 1.0))
    return len(found)
