"""What the pieces of a board's page read by themselves: they need nothing but `board` and the request."""

from typing import Any

from django import template

from dashboard.boards.models import Board
from dashboard.health import shown
from dashboard.health.checks import sentence_of
from dashboard.health.models import HealthCheck

register = template.Library()
TONES = {
    "passed": "success",
    "equal": "success",
    "suspect": "warning",
    "new stack": "warning",
    "differs": "danger",
    "slower": "danger",
    "bad board": "danger",
    "bad model": "danger",
}


@register.simple_tag(takes_context=True)
def health_of(context: Any, board: Board) -> shown.BoardHealth:
    """The board's health as this visitor may see it."""
    return shown.health_of(board, context["request"].user)


@register.simple_tag(takes_context=True)
def incidents_of(context: Any, board: Board) -> list[shown.ShownIncident]:
    """The board's last incidents as this visitor may see them, the open ones first."""
    return shown.incidents_of(board, context["request"].user)[:10]


@register.filter
def health_tone(word: str) -> str:
    """Bootstrap's colour word of an outcome."""
    return TONES.get(word, "secondary")


@register.filter
def sentence(check: HealthCheck) -> str:
    """What a check found, in one sentence."""
    return sentence_of(check)
