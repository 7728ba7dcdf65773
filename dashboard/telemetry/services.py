"""Verbs about what boards tell of themselves: keep a run's result with it, note a first word, thin what is old."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from dashboard.boards.fingerprints import bounded, noted_differences
from dashboard.boards.models import Board, Run, RunResult
from dashboard.boards.services import Measured, keep_result
from dashboard.jobs.models import in_seconds
from dashboard.telemetry.models import FingerprintChange, Moment, Reading
from dashboard.telemetry.readings import numbers_of

MOST_CHANGES = 30  # rows of one run; a board that changes more of itself is told in one row more
DAY_SECONDS = 86_400
THIN_BATCH = 500


def keep_run(run: Run, measured: Measured) -> RunResult:
    """Write the run's result and what it says about its board; called in the transaction that ends the run.

    At most two inserts more than the result's own: the readings before and after, and what changed.
    """
    board = run.board
    last = _last_fingerprint(board) if board else {}
    measured = replace(
        measured,
        fingerprint_before=bounded(measured.fingerprint_before),
        fingerprint_after=bounded(measured.fingerprint_after),
    )
    result = keep_result(run, measured)
    if board:
        _note_readings(run, board, measured)
        _note_changes(run, board, last, measured.fingerprint_after)
    return result


def note_hello(run: Run, board: Board, disk_free_bytes: int, mem_available_kb: int | None) -> None:
    """Keep what the board's first word told, so that a run that fails afterwards leaves a trace of why."""
    told = numbers_of({"disk_free_bytes": disk_free_bytes, "mem_available_kb": mem_available_kb})
    Reading.objects.create(board=board, run=run, moment=Moment.HELLO, **told)


def thin(batch: int = THIN_BATCH) -> int:
    """Delete the oldest readings beyond LAYERWISE_TELEMETRY_DAYS, at most a batch of them; how many went."""
    limit = in_seconds(-DAY_SECONDS * settings.TELEMETRY_DAYS)
    old = Reading.objects.filter(at__lt=limit).order_by("at").values_list("pk", flat=True)[:batch]
    return Reading.objects.filter(pk__in=list(old)).delete()[0]


def _last_fingerprint(board: Board) -> dict[str, Any]:
    """The fingerprint that the board had after the run before; {} for its first run."""
    return Board.objects.filter(pk=board.pk).values_list("fingerprint", flat=True).first() or {}


def _note_readings(run: Run, board: Board, measured: Measured) -> None:
    taken = ((Moment.BEFORE, measured.fingerprint_before), (Moment.AFTER, measured.fingerprint_after))
    Reading.objects.bulk_create(
        Reading(
            board=board,
            run=run,
            moment=moment,
            at=run.started_at if moment == Moment.BEFORE and run.started_at else Now(),
            **numbers_of(fingerprint),
        )
        for moment, fingerprint in taken
        if fingerprint
    )


def _note_changes(run: Run, board: Board, last: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    if not last or not now:
        return  # the first fingerprint of a board changes nothing
    found = noted_differences(last, now)
    rows = [
        FingerprintChange(
            board=board, run=run, field=one.field, old=one.first, new=one.second, matters=one.matters
        )
        for one in found[:MOST_CHANGES]
    ]
    if more := found[MOST_CHANGES:]:
        text = f"{len(more)} more fields"
        rows.append(
            FingerprintChange(
                board=board,
                run=run,
                field="(and more)",
                old=text,
                new=text,
                matters=any(one.matters for one in more),
            )
        )
    FingerprintChange.objects.bulk_create(rows)
