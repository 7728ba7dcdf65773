"""Labels: words that say what else a board has (a camera, 512 MB), and that a run may ask for."""

import re
from collections.abc import Collection
from typing import Any

from dashboard.boards.models import Board
from dashboard.boards.services import record_of_board

MOST_LABELS = 20  # of a board
MOST_ASKED = 8  # of a run
LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


class BadLabels(ValueError):
    """These are no labels; the text says what they must be like."""


def check_labels(labels: Collection[str], most: int = MOST_LABELS) -> None:
    """Raises BadLabels."""
    if len(labels) > most or not all(LABEL.fullmatch(label) for label in labels):
        raise BadLabels(
            f"At most {most} labels of a-z, 0-9, dots, dashes and underscores, 40 characters each."
        )


def set_labels(board: Board, labels: Collection[str], by: Any) -> None:
    """Give the board these labels instead of those it had. Raises BadLabels."""
    check_labels(labels)
    board.labels = sorted(set(labels))
    board.save(update_fields=["labels"])
    record_of_board("board.labelled", board, by, f"{board.name}: {' '.join(board.labels)}")
