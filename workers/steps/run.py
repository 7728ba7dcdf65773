"""Run an artifact on the board that the claim took: normal, timed and dumping, and bring everything home."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings

from boardagent import protocol
from dashboard import files
from dashboard.boards import keys
from dashboard.boards.models import Board, Run
from dashboard.boards.services import (
    Measured,
    NotHeld,
    note_failure,
    outrun,
)
from dashboard.conversions.models import Artifact
from dashboard.layers.models import Dump
from dashboard.layers.services import store_dump
from dashboard.telemetry.services import keep_run, note_hello
from similarity.dumpfile import DamagedFile, DumpFile
from workers.errors import JobError, LeaseLost, Temporary
from workers.jobfolder import SEPARATOR
from workers.layerdump import assemble, keys_of
from workers.lease import Lease
from workers.lifecycle import Keep
from workers.link.results import LayerFiles, LayerTime, RunResult
from workers.link.ssh import SshTarget
from workers.steps.events import report_to
from workers.steps.visit import Visit
from workers.whereabouts import whereabouts

FLOAT_BYTES = 4  # of a value in a simulated board's dump, and in outputs
TEXT_BYTES = 16  # of a value in the vendor's layer files
SPARE_BYTES = 16_000_000
SEQUENCE = {"repeats": 10, "reloads": 3}


def run(run: Run, lease: Lease, visit: Visit) -> Keep:
    """Visit the board; what it brought back is stored, and its rows are written when the job ends.

    The visit stays open for the next run, unless this one fails.
    """
    board = run.board
    if board is None:
        raise Temporary("board:none-suitable", "The board was removed while the run waited.")
    try:
        with TemporaryDirectory(dir=work_root(), prefix=f"run-{run.pk}-{run.attempt}{SEPARATOR}") as folder:
            measured = measure(run, board, Path(folder), lease, visit)
    except JobError as error:
        if error.code.startswith("board:"):
            note_failure(run, board, error.code, error.detail)
        raise
    return partial(keep_run, run, measured)


def measure(run: Run, board: Board, folder: Path, lease: Lease, visit: Visit) -> Measured:
    """Connect, send, execute, fetch, check, store."""
    try:
        result = execute(run, board, folder, lease, visit)
    except BaseException:
        visit.close()
        raise
    lease.stage("storing")
    for words in unexpected(result):
        lease.log(f"{words}\n")
    return measured_from(run, board, result)


def execute(run: Run, board: Board, folder: Path, lease: Lease, visit: Visit) -> RunResult:
    """The part of the work for which the board is needed."""
    lease.stage("connecting")
    lease.log(f"{board} at {board.address}:{board.port}\n")
    target = SshTarget(whereabouts(board.address, board.port), board.port, board.username, board.host_key)
    session = visit.session(board, target, private_key(board))
    if visit.seen is None:
        hello = session.hello()
        visit.seen = hello.fence
        note_hello(run, board, hello.disk_free_bytes, hello.mem_available_kb)
    lease.check()
    visit.seen = fence_beyond(run, board, visit.seen)
    return session.run(
        job_of(run, board),
        files_of(run.artifact),
        folder,
        deadline_s=settings.RUN_SECONDS,
        fence=visit.seen,
        on_event=attentive(lease),
    )


def unexpected(result: RunResult) -> Iterator[str]:
    """What the board could not give, in its own words."""
    if result.timed is not None and result.timed.reason:
        yield f"No times of layers: {result.timed.reason}"
    if isinstance(result.dump, LayerFiles) and not result.dump.is_dumped:
        yield f"No dump of layers: {result.dump.reason or 'the runtime wrote none'}"


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
        wall_us=result.plain.wall_us,
        init_us=round(result.plain.init_us),
        dump=dump_from(run, result),
        timed_total_us=timed.total_us if timed else None,
        timed_layers=timed_rows(run, board, timed.layers) if timed else [],
        fingerprint_before=result.fingerprint.before,
        fingerprint_after=result.fingerprint.after,
        simulated=board.simulated or result.simulated,
        sequence=None if result.sequence is None else [asdict(check) for check in result.sequence],
    )


def dump_from(run: Run, result: RunResult) -> Dump | None:
    """The layer dump, opened and checked before it is stored; None when there is none."""
    found = result.dump
    if isinstance(found, LayerFiles):
        found = assembled(run, found, result.simulated) if found.is_dumped else None
    if found is None:
        return None
    try:
        dump = store_dump(run.project, found)
    except DamagedFile as error:
        raise Temporary("board:bad-answer", f"The layer dump is damaged: {error}") from error
    if dump.rung != "board":
        raise Temporary("board:bad-answer", f"The dump calls itself {dump.rung!r}.")
    dump.simulated = dump.simulated or result.simulated
    return dump


def assembled(run: Run, found: LayerFiles, simulated: bool) -> Path:
    """One dump/1 file of the vendor's files, with the quantized graph's dump as the reference of shapes and names; of a
    ready file the float network's, or none.
    """
    known = run.artifact.reference
    reference = files.existing(known.sha256) if known else None
    return assemble(found.folder, found.listed, reference, simulated=simulated)


def timed_rows(run: Run, board: Board, layers: Sequence[LayerTime]) -> list[dict[str, Any]]:
    """The layers' times under the keys of the quantized graph; a vendor's runtime knows its own names only, which are
    the keys where there is no such graph.
    """
    rows = [vars(layer) for layer in layers]
    if board.is_simulation:
        return rows
    names, known = [layer.name for layer in layers], run.artifact.reference
    if known is None:
        keys = keys_of(names)
    else:
        with DumpFile.open(files.existing(known.sha256)) as reference:
            keys = keys_of(names, reference.layers)
    return [{**row, "key": key} for row, key in zip(rows, keys, strict=True)]


def job_of(run: Run, board: Board) -> dict[str, Any]:
    """The settings of the run (contract: ARCHITECTURE.md, "Board run")."""
    modes = [*protocol.MODES, *(["sequence"] if run.sequence else [])]
    return {
        "run": f"{run.pk}-{run.attempt}",
        "artifact": "artifact.onnx",
        "inputs": "inputs.safetensors",
        "npu": board.npu,
        "warmup": run.warmup,
        "iterations": run.iterations,
        "modes": modes,
        "fix_clocks": board.fix_clocks,
        "disk_bytes": disk_bytes(run.artifact, board),
        **({"sequence": SEQUENCE} if run.sequence else {}),
    }


def disk_bytes(artifact: Artifact, board: Board) -> int:
    """The free disk that a run needs on the board: what is sent, its dump, its outputs, and some room.

    The dump's size is estimated from the quantized graph's layers: the vendor's files hold a line of text for each
    value. Outputs are layers too, so that all values as floats are room enough for them. Of a ready file nobody knows
    its layers: a dump that finds no room ends as board:disk-full.
    """
    sent = artifact.size + files.existing(artifact.inputs_sha256).stat().st_size
    known = artifact.reference
    if known is None:
        return sent + SPARE_BYTES
    values: int = sum(math.prod(layer.get("shape", ())) for layer in known.layers)
    dump = FLOAT_BYTES if board.is_simulation else TEXT_BYTES
    return sent + (dump + FLOAT_BYTES) * values + SPARE_BYTES


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
