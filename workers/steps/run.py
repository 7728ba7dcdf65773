"""Run an artifact on the board that the claim took: normal, timed and dumping, and bring everything home."""

import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings

from dashboard import files
from dashboard.boards import keys
from dashboard.boards.models import Board, Run
from dashboard.boards.services import (
    AddressRefused,
    Measured,
    NotHeld,
    check_address,
    keep_result,
    note_failure,
    outrun,
)
from dashboard.conversions.models import Artifact
from dashboard.layers.models import Dump
from dashboard.layers.services import store_dump
from similarity.dumpfile import DamagedFile
from workers.errors import JobError, LeaseLost, Temporary
from workers.jobfolder import SEPARATOR
from workers.lease import Lease
from workers.lifecycle import Keep
from workers.link.results import RunResult
from workers.link.session import BoardSession
from workers.link.ssh import SshTarget, connect
from workers.steps.events import report_to

WORK_FOLDER = ".layerwise"  # in the login's home, unless the board names another


def run(run: Run, lease: Lease) -> Keep:
    """Visit the board; what it brought back is stored, and its rows are written when the job ends."""
    board = run.board
    if board is None:
        raise Temporary("board:none-suitable", "The board was removed while the run waited.")
    try:
        with TemporaryDirectory(dir=work_root(), prefix=f"run-{run.pk}-{run.attempt}{SEPARATOR}") as folder:
            measured = measure(run, board, Path(folder), lease)
    except JobError as error:
        if error.code.startswith("board:"):
            note_failure(run, board, error.code, error.detail)
        raise
    return partial(keep_result, run, measured)


def measure(run: Run, board: Board, folder: Path, lease: Lease) -> Measured:
    """Connect, send, execute, fetch, check, store."""
    listen = attentive(lease)
    lease.stage("connecting")
    lease.log(f"{board} at {board.address}:{board.port}\n")
    target = SshTarget(whereabouts(board), board.port, board.username, board.host_key)
    with connect(target, private_key(board)) as link:
        session = BoardSession(link, board.work_folder or WORK_FOLDER)
        seen = session.hello().fence
        lease.check()
        result = session.run(
            job_of(run, board),
            files_of(run.artifact),
            folder,
            deadline_s=settings.RUN_SECONDS,
            fence=fence_beyond(run, board, seen),
            on_event=listen,
        )
    lease.stage("storing")
    return measured_from(run, board, result)


def whereabouts(board: Board) -> str:
    """The number behind the board's address, in a network that may hold boards: a name may lead anywhere by now.

    Raises "board:unreachable".
    """
    try:
        found = socket.getaddrinfo(board.address, board.port, type=socket.SOCK_STREAM)
        number = str(min(found, key=lambda one: one[0] != socket.AF_INET)[4][0])  # few boards speak IPv6
        check_address(number)
    except (OSError, UnicodeError) as error:
        raise Temporary("board:unreachable", f"{board.address}: {error}") from error
    except AddressRefused as error:
        raise JobError("board:unreachable", f"{board.address}: {error}") from error
    return number


def fence_beyond(run: Run, board: Board, seen: int) -> int:
    try:
        return outrun(run, board, seen)
    except NotHeld as error:
        raise LeaseLost from error


def measured_from(run: Run, board: Board, result: RunResult) -> Measured:
    """The result as it is stored; whatever says it is simulated, or comes from a simulated board, is."""
    if result.plain is None:
        raise Temporary("board:bad-answer", "The answer lacks the normal execution.")
    timed = result.timed
    return Measured(
        outputs_sha256=files.put_path(result.plain.outputs).sha256,
        iterations_us=result.plain.iterations_us,
        init_us=round(result.plain.init_us),
        dump=dump_from(run, result),
        timed_total_us=timed.total_us if timed else None,
        timed_layers=[vars(layer) for layer in timed.layers] if timed else [],
        fingerprint_before=result.fingerprint.before,
        fingerprint_after=result.fingerprint.after,
        simulated=board.simulated or result.simulated,
    )


def dump_from(run: Run, result: RunResult) -> Dump | None:
    """The layer dump, opened and checked before it is stored."""
    if result.dump is None:
        return None
    try:
        dump = store_dump(run.project, result.dump)
    except DamagedFile as error:
        raise Temporary("board:bad-answer", f"The layer dump is damaged: {error}") from error
    if dump.rung != "board":
        raise Temporary("board:bad-answer", f"The dump calls itself {dump.rung!r}.")
    dump.simulated = dump.simulated or result.simulated
    return dump


def job_of(run: Run, board: Board) -> dict[str, Any]:
    """The settings of the run (contract: ARCHITECTURE.md, "Board run")."""
    return {
        "run": f"{run.pk}-{run.attempt}",
        "artifact": "artifact.onnx",
        "inputs": "inputs.safetensors",
        "npu": board.npu,
        "warmup": run.warmup,
        "iterations": run.iterations,
    }


def files_of(artifact: Artifact) -> dict[str, Path]:
    return {
        "artifact.onnx": files.existing(artifact.sha256),
        "inputs.safetensors": files.existing(artifact.inputs_sha256),
    }


def private_key(board: Board) -> str:
    try:
        return keys.decrypt(board.private_key)
    except keys.BadKey as error:
        raise JobError("board:login-refused", str(error)) from error


def attentive(lease: Lease) -> Callable[[dict[str, Any]], None]:
    """A listener that also ends the visit when the lease is lost; the agent speaks every two seconds."""
    report = report_to(lease)

    def listen(event: dict[str, Any]) -> None:
        lease.check()
        report(event)

    return listen


def work_root() -> Path:
    root = Path(settings.WORK_DIR) / "runs"
    root.mkdir(parents=True, exist_ok=True)
    return root
