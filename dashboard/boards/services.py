"""Verbs about boards and runs: register, pause, request a run, hold a board, keep a result."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from dashboard.boards import events, keys
from dashboard.boards.addresses import check_address
from dashboard.boards.models import Board, BoardState, Lane, Purpose, Run, RunResult
from dashboard.boards.queue import suits
from dashboard.conversions.models import Artifact
from dashboard.jobs.failures import failure
from dashboard.jobs.models import State
from dashboard.layers.models import Dump
from dashboard.projects.models import Project
from dashboard.projects.services import record

HANG = 10  # an iteration of more than ten medians is a hang, see numbers.md section 5
# what ends by itself; the rest waits for a check or an admin
PASSING = ("board:unreachable", "board:link-lost")
SICK_AFTER = 2  # infrastructure failures in a row that quarantine a board


@dataclass(frozen=True)
class BoardSettings:
    """What has to be known to reach a board. `host_key` is a public key line: type and base64."""

    name: str
    address: str
    port: int
    username: str
    host_key: str
    private_key: str
    platform: str = "rv1126"
    npu: str = "rknn1"
    site: str = "local"
    simulated: bool = False
    quirks: tuple[str, ...] = ()
    work_folder: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """What a run brought back, validated, its files already in the store. Times in microseconds."""

    outputs_sha256: str
    iterations_us: Sequence[float]
    wall_us: Sequence[float] = ()
    init_us: int | None = None
    dump: Dump | None = None
    timed_total_us: float | None = None
    timed_layers: list[dict[str, Any]] = field(default_factory=list)
    fingerprint_before: dict[str, Any] = field(default_factory=dict)
    fingerprint_after: dict[str, Any] = field(default_factory=dict)
    simulated: bool = False
    sequence: list[dict[str, Any]] | None = None


class NotHeld(Exception):
    """The run holds its board no longer."""


class Taken(ValueError):
    """There is a board of this name, or at this address, already."""


@transaction.atomic
def register_board(wanted: BoardSettings, projects: Sequence[Project], by: Any = None) -> Board:
    """A board with its pinned host key; one of the same name gets the new address and keys.

    Raises AddressRefused, Taken, keys.BadKey.
    """
    if not (known := Board.objects.filter(name=wanted.name).first()):
        return add_board(wanted, projects, by)
    before = known.host_key
    Board.objects.filter(pk=known.pk).update(**_columns(wanted))
    set_state(known, BoardState.READY, by=by)
    _share(known, projects, by)
    if before != known.host_key:
        events.host_key_pinned.send(Board, board=known, before=before, by=by)
    return known


@transaction.atomic
def add_board(
    wanted: BoardSettings,
    projects: Sequence[Project],
    by: Any = None,
    *,
    state: BoardState = BoardState.READY,
    reason: str = "",
) -> Board:
    """A new board. Raises AddressRefused, Taken, keys.BadKey."""
    try:
        with transaction.atomic():
            board = Board.objects.create(name=wanted.name, **_columns(wanted), state=state, reason=reason)
    except IntegrityError as error:
        raise Taken(f"There is a board {wanted.name!r} already.") from error
    _share(board, projects, by)
    return board


def _columns(wanted: BoardSettings) -> dict[str, Any]:
    """What a board's row holds of its settings, all of it checked."""
    check_address(wanted.address)
    keys.fingerprint(wanted.host_key)
    keys.public_key(wanted.private_key)
    same = Board.objects.filter(site=wanted.site, address=wanted.address, port=wanted.port)
    if same.exclude(name=wanted.name).exists():
        raise Taken(f"{wanted.address} port {wanted.port} is registered already, as another board.")
    return {
        "site": wanted.site,
        "address": wanted.address,
        "port": wanted.port,
        "username": wanted.username,
        "host_key": wanted.host_key,
        "private_key": keys.encrypt(wanted.private_key),
        "platform": wanted.platform,
        "npu": wanted.npu,
        "simulated": wanted.simulated,
        "quirks": list(wanted.quirks),
        "work_folder": wanted.work_folder,
        "labels": list(wanted.labels),
        "failures_in_a_row": 0,
    }


def _share(board: Board, projects: Sequence[Project], by: Any) -> None:
    board.projects.add(*projects)
    for project in projects:
        record("board.registered", project=project, user=by, subject=board.name)


@transaction.atomic
def set_state(board: Board, state: BoardState, reason: str = "", by: Any = None) -> None:
    """Pause a board, take it back into service, or quarantine it; a run that holds it goes on."""
    healed = {"failures_in_a_row": 0} if state == BoardState.READY else {}
    before = Board.objects.select_for_update(no_key=True).get(pk=board.pk).state
    Board.objects.filter(pk=board.pk).update(state=state, reason=reason[:300], **healed)
    board.refresh_from_db()
    if before != state:
        events.state_moved.send(Board, board=board, before=before, by=by)


def pause(board: Board, reason: str, by: Any) -> None:
    """Take the board out of service because somebody says so."""
    set_state(board, BoardState.PAUSED, reason, by)
    record_of_board("board.paused", board, by)


@transaction.atomic
def drain(board: Board, reason: str, by: Any) -> None:
    """Let the board end what it runs; then, or at once when it runs nothing, it pauses by itself."""
    runs = Board.objects.select_for_update(no_key=True).get(pk=board.pk).run_id is not None
    set_state(board, BoardState.DRAINING if runs else BoardState.PAUSED, reason, by)
    record_of_board("board.drained", board, by)


def resume(board: Board, by: Any) -> None:
    """Take the board back into service, from pause, draining or quarantine."""
    set_state(board, BoardState.READY, by=by)
    record_of_board("board.resumed", board, by)


def request_run(
    artifact: Artifact,
    *,
    board: Board | None = None,
    iterations: int = 20,
    user: Any = None,
    purpose: Purpose = Purpose.EVALUATION,
    priority: int = 0,
    labels: Collection[str] = (),
    runtime_version: str = "",
    sequence: bool = False,
) -> Run:
    """Queue a run of the artifact, on this board or on any that has the labels and the runtime version.

    Runs for the board's health go before all others, and to a board in quarantine too when they name it.
    """
    project, platform = artifact.conversion.project, board.platform if board else artifact.platform
    lane = Lane(
        project=project,
        platform=platform,
        simulation=artifact.is_for_simulation,
        runtime_version=runtime_version,
        labels=Lane.words(labels),
    )
    return Run.objects.create(
        project=project,
        artifact=artifact,
        platform=platform,
        site=board.site if board else _site_of(lane),
        wanted_board=board,
        iterations=iterations,
        created_by=user,
        purpose=purpose,
        priority=priority,
        labels=sorted(set(labels)),
        runtime_version=runtime_version,
        sequence=sequence,
    )


def forget_telling(run: Run) -> None:
    """The message about the run came in vain: it counts as never told of."""
    Run.objects.filter(pk=run.pk, state=State.QUEUED).update(published_at=None)


def outrun(run: Run, board: Board, seen: int) -> int:
    """The fence for this visit: beyond any that the board has seen, which a restored database may not know of.

    Raises NotHeld when the run holds the board no longer: then the newer fence is somebody else's.
    """
    if board.fence > seen:
        return board.fence
    if not Board.objects.filter(pk=board.pk, run=run.pk, fence=board.fence).update(fence=seen + 1):
        raise NotHeld(str(board))
    board.refresh_from_db()
    return board.fence


def keep_result(run: Run, measured: Measured) -> RunResult:
    """Write the run's result; called in the transaction that ends the run."""
    if measured.dump:
        measured.dump.save()
    middle = median(measured.iterations_us)
    result = RunResult.objects.create(
        run=run,
        simulated=measured.simulated,
        dump=measured.dump,
        outputs_sha256=measured.outputs_sha256,
        init_us=measured.init_us,
        iterations_us=list(measured.iterations_us),
        wall_us=list(measured.wall_us),
        median_us=middle,
        hangs=sum(1 for time in measured.iterations_us if time > HANG * middle),
        timed_total_us=measured.timed_total_us,
        timed_layers=measured.timed_layers,
        sequence=measured.sequence,
        fingerprint_before=measured.fingerprint_before,
        fingerprint_after=measured.fingerprint_after,
    )
    Board.objects.filter(runs=run.pk).update(
        failures_in_a_row=0,
        fingerprint=measured.fingerprint_after,
        seen_at=Now(),
        **_runtime(measured.fingerprint_after),
    )
    return result


def _runtime(fingerprint: dict[str, Any]) -> dict[str, str]:
    """The NPU library's version, as the probe would tell it, where the run told one."""
    told = fingerprint.get("npu")
    return {"runtime_version": told[:80]} if isinstance(told, str) and told else {}


@transaction.atomic
def note_failure(run: Run, board: Board, code: str, detail: str) -> None:
    """Count a failure that is the board's; a changed host key or the second in a row quarantines it.

    Every project that shares the board reads its reason: the detail, which may tell of the model, is the run's.
    A run that holds the board no longer says nothing about it: its agent was ended for the next holder.
    """
    held = Board.objects.filter(pk=board.pk, run=run.pk, fence=board.fence)
    if not held.update(failures_in_a_row=F("failures_in_a_row") + 1):
        return
    board.refresh_from_db()
    # who took a board out of service brings it back: no quarantine that a recovery would end
    is_kept_out = code in PASSING and board.state in {BoardState.PAUSED, BoardState.DRAINING}
    is_sick = code == "board:host-key-changed" or board.failures_in_a_row >= SICK_AFTER
    if is_sick and not is_kept_out:
        set_state(board, BoardState.UNHEALTHY, reason_of_failures(code))
    events.failure_counted.send(Board, board=board, run=run, code=code, detail=detail)


def reason_of_failures(code: str) -> str:
    """The reason of a quarantine for failures of runs, the last of them with this code."""
    return f"{code}: {failure(code).title}"


def record_of_board(action: str, board: Board, by: Any, subject: str = "") -> None:
    """A line in the audit trail of every project that uses the board."""
    for project in board.projects.all():
        record(action, project=project, user=by, subject=subject or board.name)


def _site_of(lane: Lane) -> str:
    """The site of a suitable board, preferring one with a free board; any site may serve later."""
    boards = list(
        Board.objects.filter(platform=lane.platform, projects=lane.project_id)
        .only("site", "state", "run", "platform", "npu", "labels", "runtime_version")
        .order_by("pk")
    )
    suitable = [board for board in boards if suits(board, lane)] or boards
    ready = [board for board in suitable if board.state == BoardState.READY]
    chosen = sorted(ready or suitable, key=lambda board: board.run_id is not None)
    return chosen[0].site if chosen else str(settings.SITES[0])
