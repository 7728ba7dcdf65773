"""How pages write numbers: cosines that do not hide what is missing to 1, decibels, times.

A template hands over an empty string for what does not exist (the score of a layer that has none), so every filter
writes a dash for anything that is no number.
"""

from itertools import zip_longest
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join

register = template.Library()
MISSING = "—"
TIMES = "\N{MULTIPLICATION SIGN}"
OUTCOMES = {"pass": ("✓", "success"), "fail": ("✗", "danger"), "cannot tell": ("?", "warning")}
STATES = {
    "queued": "secondary",
    "running": "primary",
    "succeeded": "success",
    "failed": "danger",
    "cancelled": "secondary",
    "ready": "success",
    "busy": "primary",
    "paused": "secondary",
    "draining": "warning",
    "offline": "warning",
    "unhealthy": "danger",
}


@register.filter
def cosine(value: Any) -> str:
    """Six decimals, and up to ten where six would round to one what is not one; beyond, the SQNR tells."""
    if not _is_number(value):
        return MISSING
    enough = (digits for digits in range(6, 11) if abs(round(value, digits)) != 1)
    return f"{value:.{next(enough, 6)}f}"


@register.filter
def codes(text: Any) -> str:
    """A sentence whose `names` are set as code; everything in it is escaped."""
    pieces = str(text).split("`")
    return format_html_join(
        "", "{}{}", ((piece, _code(name)) for piece, name in zip_longest(pieces[::2], pieces[1::2]))
    )


@register.filter
def decibels(score: Any) -> str:
    """A score's SQNR; equal tensors are exact."""
    if not hasattr(score, "sqnr_db"):
        return MISSING
    if score.sqnr_db is None:
        return "exact" if (score.flags or {}).get("exact") else MISSING
    return f"{score.sqnr_db:.2f}"


@register.filter
def figure(value: Any) -> str:
    """A number of any size in four significant digits."""
    return f"{value:.4g}" if _is_number(value) else MISSING


@register.filter
def share(value: Any) -> str:
    """A part of the whole in percent."""
    return f"{100 * value:.1f} %" if _is_number(value) else MISSING


@register.filter
def duration(us: Any) -> str:
    """Microseconds in the unit that reads best."""
    if not _is_number(us):
        return MISSING
    if abs(us) < 1000:
        return f"{us:.1f} µs"
    return f"{us / 1000:.3f} ms" if abs(us) < 1_000_000 else f"{us / 1_000_000:.3f} s"


@register.filter
def change(value: Any) -> str:
    """A relative change in percent, with its sign."""
    return f"{100 * value:+.1f} %" if _is_number(value) else MISSING


@register.filter
def words(text: Any) -> list[str]:
    """The words of a text."""
    return str(text).split()


@register.filter
def times(sizes: Any) -> str:
    """A shape: sizes joined by a multiplication sign, a question mark for a size nobody knows."""
    return (
        f" {TIMES} ".join("?" if size is None else str(size) for size in sizes)
        if isinstance(sizes, list | tuple)
        else MISSING
    )


@register.filter
def icon(outcome: str) -> str:
    """The sign beside the outcome's word."""
    return OUTCOMES.get(outcome, ("…", ""))[0]


@register.filter
def tone(word: str) -> str:
    """Bootstrap's colour word of an outcome or a state."""
    return OUTCOMES[word][1] if word in OUTCOMES else STATES.get(word, "secondary")


@register.filter
def percent(job: Any) -> int:
    """How far a job's stage is, 0..100."""
    return min(100, 100 * job.stage_done // job.stage_total) if job.stage_total else 0


def _code(name: str | None) -> str:
    return "" if name is None else format_html("<code>{}</code>", name)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
