"""Verbs about incidents: note one, end those that something good ends."""

from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from dashboard.boards.models import Board, Run
from dashboard.boards.services import record_of_board
from dashboard.health.models import Incident, IncidentKind

# a board that did a run well has got over these; the others want a check, or a person
ENDED_BY_A_RUN = Q(kind=IncidentKind.FAILURE)
ENDED_BY_A_CHECK = ~Q(kind__in=[IncidentKind.QUARANTINE, IncidentKind.POWER])


@transaction.atomic
def note(
    board: Board,
    kind: IncidentKind,
    *,
    code: str = "",
    detail: str = "",
    run: Run | None = None,
    evidence: dict[str, Any] | None = None,
    ended_by: str = "",
) -> Incident:
    """Write down what happened; a failure or quarantine that is open already is counted again.

    `ended_by` closes it at once: it is told, and there is nothing to do.
    """
    Board.objects.select_for_update(no_key=True).only("pk").get(pk=board.pk)  # two at once write one row
    same = Incident.objects.still_open().filter(board=board, kind=kind, code=code, code__gt="").first()
    facts: dict[str, Any] = {"detail": detail[:4000], "evidence": evidence or {}, "run": run}
    if same:
        Incident.objects.filter(pk=same.pk).update(times=F("times") + 1, last_at=Now(), **facts)
        return same
    incident = Incident.objects.create(board=board, kind=kind, code=code, **facts)
    if ended_by:
        end(Q(pk=incident.pk), board, ended_by)
    return incident


def end(which: Q, board: Board, by: str, user: Any = None) -> int:
    """End those of the board's open incidents; how many. `by` says what did it: "run 7", a person's name."""
    mine = Incident.objects.still_open().filter(which, board=board)
    return mine.update(ended_at=Now(), ended_by=by[:120], ended_by_user=user)


def close(incident: Incident, by: Any) -> None:
    """A person has looked at it and says that it is over."""
    if end(Q(pk=incident.pk), incident.board, str(by), by):
        record_of_board("incident.closed", incident.board, by, f"{incident.title}: {incident.board}")
    incident.refresh_from_db()
