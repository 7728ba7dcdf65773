"""How pages draw the steps of a probe and the way of a registration."""

from django import template

from dashboard.boards.models import BoardState
from dashboard.registration.models import Registration
from dashboard.registration.services import NEW
from dashboard.registration.steps import Step, StepState

register = template.Library()
MARKS = {
    StepState.WAITING: "·",
    StepState.RUNNING: "…",
    StepState.OK: "✓",
    StepState.FAILED: "✗",
    StepState.SKIPPED: "–",  # noqa: RUF001 - a dash, on purpose
}
WAY = ("Details", "Host key", "Confirmation", "Probe", "In service")


@register.filter
def mark(step: Step) -> str:
    """One sign for how the step ended; colour alone would not do."""
    return MARKS[step.state]


@register.filter
def way(registration: Registration) -> list[tuple[str, str]]:
    """The stations of a registration: done, now, or to come."""
    board = registration.board
    passed = bool(board and board.reason != NEW)
    done = [True, bool(registration.host_key), board is not None, passed, passed and board is not None]
    if board and passed and board.state != BoardState.READY:
        done[-1] = False
    reached = done.index(False) if False in done else len(done)
    return [
        (name, "done" if at < reached else "now" if at == reached else "to-come")
        for at, name in enumerate(WAY)
    ]
