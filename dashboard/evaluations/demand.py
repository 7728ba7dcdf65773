"""What an evaluation may ask of the boards' queue: its priority, and labels and runtime version of a board."""

from typing import Any, Protocol

from dashboard.boards.labels import MOST_ASKED, BadLabels, check_labels
from dashboard.boards.models import Board, Lane
from dashboard.projects.models import Project, Role
from dashboard.registry.services import Refused

LEAST, MOST = -10, 10
MOST_LANES = 200  # different needs of one project: a board looks at each of them when it is free


class Demand(Protocol):
    """The part of a request that is about the queue."""

    @property
    def board(self) -> Board | None: ...
    @property
    def priority(self) -> int: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def runtime_version(self) -> str: ...


def highest_priority(project: Project, user: Any) -> int:
    """The highest priority that the user may ask for: above 0, where one goes before others, is for admins."""
    return MOST if user is None or project.role_of(user) == Role.ADMIN else 0


def check_demand(project: Project, wanted: Demand, user: Any) -> None:
    """Raises Refused for what the user may not ask, and for what the wanted board never has."""
    try:
        check_labels(wanted.labels, MOST_ASKED)
    except BadLabels as error:
        raise Refused("recipe:invalid", str(error)) from error
    if not LEAST <= wanted.priority <= MOST:
        raise Refused("recipe:invalid", f"The priority must be from {LEAST} to {MOST}.")
    if wanted.priority > highest_priority(project, user):
        raise Refused("recipe:invalid", "A priority above 0 is for admins of the project.")
    if len(wanted.runtime_version) > 80 or not wanted.runtime_version.isprintable():
        raise Refused("recipe:invalid", "The runtime version must be at most 80 printable characters.")
    if wanted.board:
        _check_board(wanted.board, wanted)
    same = {"runtime_version": wanted.runtime_version, "labels": Lane.words(wanted.labels)}
    lanes = Lane.objects.filter(project=project)
    if not lanes.filter(**same).exists() and lanes.count() >= MOST_LANES:
        raise Refused(
            "recipe:invalid", "The project has asked for too many different sets of labels and versions."
        )


def _check_board(board: Board, wanted: Demand) -> None:
    missing = sorted(set(wanted.labels) - set(board.labels))
    if missing:
        raise Refused("recipe:invalid", f"The board lacks the label {', '.join(missing)}.")
    if wanted.runtime_version not in {"", board.runtime_version}:
        raise Refused(
            "recipe:invalid", f"The board's runtime version is {board.runtime_version or 'not known'}."
        )
