"""Verbs about boards and runs: register, pause, request a run, hold a board, keep a result."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from statistics import median
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from dashboard.boards import keys
from dashboard.boards.models import Board, BoardState, Run, RunResult
from dashboard.conversions.models import Artifact
from dashboard.jobs.models import State
from dashboard.layers.models import Dump
from dashboard.projects.models import Project
from dashboard.projects.services import record

HANG = 10  # an iteration of more than ten medians is a hang, see numbers.md section 5
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


@dataclass(frozen=True)
class Measured:
    """What a run brought back, validated, its files already in the store. Times in microseconds."""

    outputs_sha256: str
    iterations_us: Sequence[float]
    init_us: int | None = None
    dump: Dump | None = None
    timed_total_us: float | None = None
    timed_layers: list[dict[str, Any]] = field(default_factory=list)
    fingerprint_before: dict[str, Any] = field(default_factory=dict)
    fingerprint_after: dict[str, Any] = field(default_factory=dict)
    simulated: bool = False


class NotHeld(Exception):
    """The run holds its board no longer."""


class AddressRefused(ValueError):
    """The address is not in a network that may hold boards (LAYERWISE_BOARD_NETWORKS)."""


def check_address(address: str) -> None:
    """Raises AddressRefused outside LAYERWISE_BOARD_NETWORKS. Names pass: the worker checks what they lead to."""
    try:
        ip = ip_address(address)
    except ValueError:
        return
    if not any(ip in ip_network(network) for network in settings.BOARD_NETWORKS):
        raise AddressRefused(f"{address} is outside LAYERWISE_BOARD_NETWORKS.")


@transaction.atomic
def register_board(wanted: BoardSettings, projects: Sequence[Project], by: Any = None) -> Board:
    """A board with its pinned host key; one of the same name gets the new address and keys.

    Raises AddressRefused, keys.BadKey.
    """
    check_address(wanted.address)
    keys.fingerprint(wanted.host_key)
    keys.public_key(wanted.private_key)
    same = Board.objects.filter(site=wanted.site, address=wanted.address, port=wanted.port)
    if other := same.exclude(name=wanted.name).first():
        raise AddressRefused(f"{wanted.address} port {wanted.port} is the board {other} already.")
    board, _ = Board.objects.update_or_create(
        name=wanted.name,
        defaults={
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
            "state": BoardState.READY,
            "reason": "",
            "failures_in_a_row": 0,
        },
    )
    board.projects.add(*projects)
    for project in projects:
        record("board.registered", project=project, user=by, subject=board.name)
    return board


def set_state(board: Board, state: BoardState, reason: str = "") -> None:
    """Pause a board, take it back into service, or quarantine it; a run that holds it goes on."""
    healed = {"failures_in_a_row": 0} if state == BoardState.READY else {}
    Board.objects.filter(pk=board.pk).update(state=state, reason=reason[:300], **healed)
    board.refresh_from_db()


def pause(board: Board, reason: str, by: Any) -> None:
    """Take the board out of service because somebody says so."""
    set_state(board, BoardState.PAUSED, reason)
    _record("board.paused", board, by)


def resume(board: Board, by: Any) -> None:
    """Take the board back into service, from pause or quarantine."""
    set_state(board, BoardState.READY)
    _record("board.resumed", board, by)


def request_run(
    artifact: Artifact, *, board: Board | None = None, iterations: int = 20, user: Any = None
) -> Run:
    """Queue a run of the artifact, on this board or on any suitable one."""
    return Run.objects.create(
        project=artifact.conversion.project,
        artifact=artifact,
        platform=board.platform if board else artifact.platform,
        site=board.site if board else _site_of(artifact),
        wanted_board=board,
        iterations=iterations,
        created_by=user,
    )


def claim_with_board(run: Run, owner: str) -> bool:
    """Claim the run and a free board for it in one transaction; neither without the other.

    When no board is free any more, the run counts as never told of, so that it is told of when one is free again.
    """
    with transaction.atomic():
        for board in _free_boards(run):
            if not run.claim(owner):
                return False
            if run.hold(board) is not None:
                return True
            run.put_back(run.fence, refund=True)
    Run.objects.filter(pk=run.pk, state=State.QUEUED).update(published_at=None)
    return False


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
        median_us=middle,
        hangs=sum(1 for time in measured.iterations_us if time > HANG * middle),
        timed_total_us=measured.timed_total_us,
        timed_layers=measured.timed_layers,
        fingerprint_before=measured.fingerprint_before,
        fingerprint_after=measured.fingerprint_after,
    )
    Board.objects.filter(runs=run.pk).update(
        failures_in_a_row=0, fingerprint=measured.fingerprint_after, seen_at=Now()
    )
    return result


def note_failure(run: Run, board: Board, code: str, detail: str) -> None:
    """Count a failure that is the board's; a changed host key or the second in a row quarantines it.

    A run that holds the board no longer says nothing about it: its agent was ended for the next holder.
    """
    held = Board.objects.filter(pk=board.pk, run=run.pk, fence=board.fence)
    if not held.update(failures_in_a_row=F("failures_in_a_row") + 1):
        return
    board.refresh_from_db()
    if code == "board:host-key-changed" or board.failures_in_a_row >= SICK_AFTER:
        set_state(board, BoardState.UNHEALTHY, f"{code}: {detail}")


def _record(action: str, board: Board, by: Any) -> None:
    """A line in the audit trail of every project that uses the board."""
    for project in board.projects.all():
        record(action, project=project, user=by, subject=board.name)


def _free_boards(run: Run) -> list[Board]:
    boards = Board.objects.free().filter(projects=run.project_id, site=run.site)
    boards = (
        boards.filter(pk=run.wanted_board_id) if run.wanted_board_id else boards.filter(platform=run.platform)
    )
    return list(boards.order_by("seen_at", "pk"))


def _site_of(artifact: Artifact) -> str:
    """The site of a suitable board, preferring one with a free board; any site may serve later."""
    boards = Board.objects.filter(platform=artifact.platform, projects=artifact.conversion.project)
    chosen = boards.filter(state=BoardState.READY).order_by("run", "pk").first() or boards.first()
    return chosen.site if chosen else settings.SITES[0]
