"""Verbs about health checks: request one, keep what it found, accept new outputs."""

from typing import Any

from django.db import IntegrityError, transaction

from dashboard.boards.models import Board, BoardState, Purpose
from dashboard.boards.services import request_run, set_state
from dashboard.health import incidents, watches
from dashboard.health.golden import NotGolden, golden_for, keep_outputs
from dashboard.health.judging import Judgement
from dashboard.health.models import Cause, GoldenModel, HealthCheck, IncidentKind, Outcome
from dashboard.health.reasons import is_ended_by_a_check
from dashboard.health.stacks import stack_of
from dashboard.jobs.failures import failure
from dashboard.jobs.models import State
from dashboard.projects.services import record
from similarity.exact import first_sentence

CHECKED_STATES = (BoardState.READY, BoardState.UNHEALTHY)
URGENT = 10  # before other health runs: a board stands still for it
RETRY_S = 3600.0  # a check that could not tell is repeated after an hour, unless its board is out of reach


def request_check(
    board: Board, cause: Cause, because: str = "", *, user: Any = None, confirms: HealthCheck | None = None
) -> HealthCheck | None:
    """Queue a run of the golden model on the board, and its judgement.

    None when no golden model fits the board, or a check of it is under way already.
    """
    golden = confirms.golden if confirms else golden_for(board)
    if golden is None:
        return None
    try:
        with transaction.atomic():
            return _new_check(board, golden, cause, because=because, user=user, confirms=confirms)
    except IntegrityError:  # another dispatcher, or a person, was quicker
        return None


def _new_check(
    board: Board,
    golden: GoldenModel,
    cause: Cause,
    *,
    because: str,
    user: Any,
    confirms: HealthCheck | None,
) -> HealthCheck:
    run = request_run(
        golden.artifact,
        board=board,
        iterations=golden.iterations,
        user=user,
        purpose=Purpose.HEALTH,
        priority=0 if cause == Cause.SCHEDULE else URGENT,
    )
    return HealthCheck.objects.create(
        project=golden.project,
        board=board,
        golden=golden,
        run=run,
        cause=cause,
        because=because[:200],
        confirms=confirms,
        created_by=user,
    )


def under_way(board: Board) -> HealthCheck | None:
    """The check of this board that has not ended."""
    found: HealthCheck | None = HealthCheck.objects.filter(
        board=board, state__in=[State.QUEUED, State.RUNNING]
    ).first()
    return found


@transaction.atomic
def keep_judgement(check: HealthCheck, found: Judgement) -> None:
    """Write what was found, and do what follows; called in the transaction that ends the check."""
    HealthCheck.objects.filter(pk=check.pk).update(
        outcome=found.outcome,
        stack=found.stack.key,
        stratum=found.stratum,
        median_us=found.median_us,
        evidence=found.evidence,
    )
    check.refresh_from_db()
    match found.outcome:
        case Outcome.PASSED:
            _passed(check, found)
        case Outcome.SUSPECT:
            _suspected(check)
        case _:
            _blamed(check)


def keep_unknown(check: HealthCheck, why: str) -> None:
    """The run brought nothing to judge: that says nothing about outputs, and its own failure was counted already."""
    evidence = {"why": why[:2000]}
    HealthCheck.objects.filter(pk=check.pk).update(outcome=Outcome.UNKNOWN, evidence=evidence)
    board = Board.objects.get(pk=check.board_id)
    if board.state == BoardState.UNHEALTHY and is_ended_by_a_check(board.reason):
        _forget_earlier_tries(check)
        tries = board.watch.tries + 1 if hasattr(board, "watch") else 1
        watches.look_again(board, watches.rest_s(tries), Cause.RECOVERY, board.reason, tries)
    else:
        watches.look_again(board, min(RETRY_S, watches.interval_s()), Cause.SCHEDULE)


def accept_outputs(check: HealthCheck, by: Any) -> None:
    """The outputs that this check found are right for the stack that it ran on: an admin says so. Raises NotGolden."""
    result = getattr(check.run, "result", None)
    if check.outcome not in {Outcome.DIFFERS, Outcome.NEW_STACK} or result is None:
        raise NotGolden("Only outputs that a check found different can be accepted.")
    with transaction.atomic():
        keep_outputs(check.golden, stack_of(result.fingerprint_before), result, by)
        record(
            "golden.accepted",
            project=check.project,
            user=by,
            subject=f"{check.golden}: check {check.pk}, {check.board}",
        )
        board = Board.objects.select_for_update(no_key=True).get(pk=check.board_id)
        if board.state == BoardState.UNHEALTHY and board.reason.startswith(reason_of(check)):
            set_state(board, BoardState.READY, by=by)
        incidents.end(incidents.ENDED_BY_A_CHECK, board, str(by), by)


def reason_of(check: HealthCheck) -> str:
    """How the reason of a quarantine that this check began starts."""
    return f"board:unhealthy: check {check.pk}: "


def sentence_of(check: HealthCheck) -> str:  # noqa: PLR0911 - a case a line
    """What a check found, in one sentence."""
    outputs = check.evidence.get("outputs", {})
    match check.outcome:
        case Outcome.PASSED:
            return "Its outputs are bit for bit the right ones."
        case Outcome.SUSPECT:
            return (
                f"It was slower than in its last checks ({_times(check)}); two more runs confirm it or not."
            )
        case Outcome.SLOWER:
            return f"It is slower than in its last checks ({_times(check)}), in three runs one after another."
        case Outcome.DIFFERS:
            return first_sentence(outputs)
        case Outcome.NEW_STACK:
            return (
                f"{first_sentence(outputs)} Its runtime, driver or kernel is new here, so that may be right: "
                "an admin looks at the numbers and accepts them, or keeps the board in quarantine."
            )
        case Outcome.UNKNOWN:
            return f"There was nothing to judge: {check.evidence.get('why', '')}"
    return ""


def _times(check: HealthCheck) -> str:
    band = check.evidence.get("band") or {}
    return f"{(check.median_us or 0) / 1000:.3f} ms, at most {band.get('highest', 0) / 1000:.3f} ms expected"


def _passed(check: HealthCheck, found: Judgement) -> None:
    board = Board.objects.select_for_update(no_key=True).get(pk=check.board_id)
    if found.is_new:  # the same numbers on a new stack need nobody's word
        keep_outputs(check.golden, found.stack, check.run.result, None)
    if board.state == BoardState.UNHEALTHY and is_ended_by_a_check(board.reason):
        set_state(board, BoardState.READY, by=check)
    incidents.end(incidents.ENDED_BY_A_CHECK, board, str(check))
    watches.look_on_schedule(board)


def _suspected(check: HealthCheck) -> None:
    """Two more runs before anybody is blamed."""
    if check.confirms is None:
        incidents.note(
            check.board,
            IncidentKind.SLOWER,
            detail=sentence_of(check),
            run=check.run,
            evidence=check.evidence,
        )
    first = check.confirms or check
    request_check(check.board, Cause.CONFIRM, f"check {first.pk} was slow", confirms=first)


def _blamed(check: HealthCheck) -> None:
    """Take the board out of service; what was found is for those who may see the check, the reason is for all."""
    board = Board.objects.select_for_update(no_key=True).get(pk=check.board_id)
    code = "board:unhealthy"
    if board.state in CHECKED_STATES and (
        board.state == BoardState.READY or is_ended_by_a_check(board.reason)
    ):
        set_state(board, BoardState.UNHEALTHY, f"{reason_of(check)}{_told_to_all(check, code)}")
    else:
        incidents.note(
            board,
            IncidentKind.QUARANTINE,
            code=code,
            detail=f"{reason_of(check)}{sentence_of(check)}",
            run=check.run,
            ended_by="told",
        )
    watches.look_on_schedule(board)


def _told_to_all(check: HealthCheck, code: str) -> str:
    """What members of every project that shares the board may know: neither names nor numbers of the model."""
    return "It is slower than in its last checks" if check.outcome == Outcome.SLOWER else failure(code).title


def _forget_earlier_tries(check: HealthCheck) -> None:
    """A board that stays away for days would fill the lists with tries in vain: the last one is enough."""
    earlier = HealthCheck.objects.filter(
        board=check.board_id, cause=Cause.RECOVERY, outcome=Outcome.UNKNOWN, pk__lt=check.pk
    )
    for one in earlier.select_related("run")[:50]:
        one.run.delete()
