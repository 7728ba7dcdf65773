"""What a board sent cannot be what it says it is."""

from workers.errors import Temporary


def bad(detail: str) -> Temporary:
    """The failure for layer files that cannot be believed; printable, and short enough to be stored."""
    clean = "".join(mark if mark.isprintable() else "?" for mark in detail)
    return Temporary("board:bad-answer", f"The layer dump is damaged: {clean[:500]}")
