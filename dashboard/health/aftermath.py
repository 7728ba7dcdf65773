"""What a run that ended tells about its board beyond its numbers: a restart, a hang, another stack, or all is well."""

from typing import Any

from django.db.models import Q

from dashboard.boards.fingerprints import differences
from dashboard.boards.models import Board, BoardState, Purpose, Run, RunResult
from dashboard.boards.services import set_state
from dashboard.health import incidents, watches
from dashboard.health.golden import golden_for
from dashboard.health.models import Cause, Incident, IncidentKind, PowerCycle
from dashboard.health.stacks import stratum_of
from dashboard.jobs.models import ENDED, State

RUNS, REBOOTS = 3, 2  # so many restarts in so many runs quarantine a board


def of_run(run: Run) -> None:
    """Write down what the run shows about its board; called in the transaction that ends it."""
    result: RunResult | None = getattr(run, "result", None)
    board = Board.objects.filter(pk=run.board_id).first() if run.board_id else None
    if board is None:
        return
    if run.state == State.SUCCEEDED and result:
        incidents.end(incidents.ENDED_BY_A_RUN & ~Q(run=run), board, str(run))
        _compare(board, run, result)
        _look_for_hangs(board, run, result)
    _count_reboots(board, run)


def _compare(board: Board, run: Run, result: RunResult) -> None:
    """Against the board's run before: did it start anew, is it the same stack?"""
    earlier = RunResult.objects.filter(run__board=board).exclude(run=run).order_by("-pk")
    before = earlier.values_list("fingerprint_after", flat=True).first()
    if not before:
        return
    now = result.fingerprint_before
    if _boot(before) and _boot(now) and _boot(before) != _boot(now) and not _was_meant(board, _boot(now)):
        detail = f"boot_id {_boot(before)} became {_boot(now)} between two runs"
        _tell(board, run, IncidentKind.REBOOT, detail, code="board:rebooted")
    if stratum_of(before) != stratum_of(now):
        fields = [one for one in differences(before, now) if one.matters]
        detail = "\n".join(f"{one.field}: {one.first} became {one.second}" for one in fields)
        _tell(board, run, IncidentKind.FINGERPRINT, detail, changed=[vars(one) for one in fields])


def _look_for_hangs(board: Board, run: Run, result: RunResult) -> None:
    found = []
    if result.hangs:
        of = len(result.iterations_us)
        found.append(f"{result.hangs} of {of} iterations took more than ten medians")
    for check in result.sequence or []:
        if check.get("hangs"):
            found.append(
                f"{check['hangs']} of {check.get('runs')} executions hung in the check {check.get('name')}"
            )
        if check.get("differing"):
            found.append(f"executions {check['differing'][:20]} differed in the check {check.get('name')}")
    if found:
        _tell(board, run, IncidentKind.HANG, "\n".join(found))


def _tell(
    board: Board, run: Run, kind: IncidentKind, detail: str, *, code: str = "", **evidence: Any
) -> None:
    """An incident; where a golden model can tell more it stays open until its check, which comes now."""
    checkable = golden_for(board) is not None
    incidents.note(
        board,
        kind,
        code=code,
        detail=detail,
        run=run,
        evidence=evidence,
        ended_by="" if checkable else "told",
    )
    if checkable and run.purpose != Purpose.HEALTH:
        watches.look_now(board, Cause.INCIDENT, f"{kind.label}: {detail}")


def _count_reboots(board: Board, run: Run) -> None:
    """A board that starts anew in two of three runs is no board to trust."""
    if not Incident.objects.filter(_reboots(), board=board, run=run).exists():
        return
    last = Run.objects.filter(board=board).exclude(started_at=None).order_by("-started_at")[:RUNS]
    mine = Incident.objects.filter(_reboots(), board=board, run__in=[one.pk for one in last.only("pk")])
    number = sum(mine.values_list("times", flat=True))
    if number >= REBOOTS and board.state == BoardState.READY:
        reason = f"board:rebooted: {number} restarts in its last {RUNS} runs"
        set_state(board, BoardState.UNHEALTHY, reason)


def _reboots() -> Q:
    return Q(kind=IncidentKind.REBOOT) | Q(kind=IncidentKind.FAILURE, code="board:rebooted")


def _was_meant(board: Board, boot_id: str) -> bool:
    """Did we restart it ourselves?"""
    return PowerCycle.objects.filter(board=board, boot_id_after=boot_id, state__in=ENDED).exists()


def _boot(fingerprint: dict[str, Any]) -> str:
    return str(fingerprint.get("boot_id") or "")
