"""What must be true at the end: nothing lost, nothing doubled, nothing wrong, nothing left behind."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from dashboard import files
from dashboard.boards.models import Board, BoardState, Run, RunResult
from dashboard.conversions.models import Artifact, Conversion
from dashboard.evaluations.models import Leg
from dashboard.jobs.models import State
from dashboard.layers.models import Comparison, Dump, LayerScore
from similarity.dumpfile import DumpFile
from similarity.tensorfile import TensorFile
from tests.chaos.networks import Network
from tests.chaos.processes import of_folder, wait_until
from tests.chaos.stack import Stack
from tests.chaos.work import SAMPLES, Work, jobs

QUANTIZED = 0.08  # relative error that 8 bits may cost these networks; another network's answer is off by 0.5 and more
FLOAT = 1e-4
STEPS = 4  # jobs of a leg after the inspection


@dataclass
class Findings:
    """What is not as it must be, by kind; empty lists everywhere mean that all is well."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        return {name: len(value) for name, value in vars(self).items()}

    def all(self) -> list[str]:
        return [f"{name}: {text}" for name, texts in vars(self).items() for text in texts]


def verify(work: Work, stack: Stack) -> Findings:
    """Look at everything once, after the work has ended (or the patience has)."""
    found = Findings()
    _jobs(work, found)
    _once(work, found)
    for leg in Leg.objects.filter(pk__in=work.networks).select_related("run__board", "conversion"):
        _leg(leg, work.networks[leg.pk], found)
    _store(found)
    _boards(stack, found)
    _left_behind(stack, found)
    return found


def _jobs(work: Work, found: Findings) -> None:
    all_jobs = jobs()
    for job in all_jobs:
        if not job.has_ended:
            found.lost.append(f"{job} is {job.state} (attempt {job.attempt}, {job.detail!r})")
        elif job.state != State.SUCCEEDED:
            found.wrong.append(f"{job} {job.state}: {job.failure} {job.detail!r}")
    if (missing := work.expected_jobs - len(all_jobs)) > 0:
        found.lost.append(f"{missing} jobs were never asked for")
    elif missing < 0:
        found.doubled.append(f"{-missing} jobs more than asked for")


def _once(work: Work, found: Findings) -> None:
    """One result for each job that has one, and no fact that belongs to nothing."""
    legs = len(work.networks)
    counts = {
        "artifacts": (Artifact.objects.count(), legs),
        "results of runs": (RunResult.objects.count(), legs),
        "dumps": (Dump.objects.count(), 3 * legs),
        "conversions": (Conversion.objects.count(), legs),
        "runs": (Run.objects.count(), legs),
        "comparisons": (Comparison.objects.count(), 2 * legs),
    }
    for name, (count, expected) in counts.items():
        if count > expected:
            found.doubled.append(f"{count} {name} instead of {expected}")
        elif count < expected:
            found.lost.append(f"{count} {name} instead of {expected}")
    pairs = Counter(LayerScore.objects.values_list("comparison", "reference_key", "candidate_key"))
    found.doubled += [f"scores of {pair} stored {times} times" for pair, times in pairs.items() if times > 1]


def _leg(leg: Leg, network: Network, found: Findings) -> None:
    """The numbers and the verdict of one leg against what NumPy says."""
    if any(job.state != State.SUCCEEDED for job in leg.jobs) or not leg.has_ended or len(leg.jobs) != STEPS:
        found.lost.append(f"{leg} has no complete result")
        return
    assert leg.conversion and leg.quantization and leg.on_board
    assert leg.run and leg.run.board
    hurt = network.is_hurt_by_quirk() and bool(leg.run.board.quirks)
    expected = ("fail", "board") if hurt else ("pass", "")
    if (leg.outcome, leg.step) != expected:
        found.wrong.append(f"{leg} says {leg.outcome} at {leg.step!r} instead of {expected}: {leg.sentence}")
    [picture] = SAMPLES
    artifact, result = leg.conversion.artifact, leg.run.result
    assert result.dump
    answers: dict[str, tuple[NDArray[np.float32], NDArray[np.float32], float]] = {
        "framework": (_last_layer(artifact.framework), network.answer(picture), FLOAT),
        "quantized": (_last_layer(artifact.quantized), network.answer(picture), QUANTIZED),
        "board": (_last_layer(result.dump), network.answer(picture, hurt), QUANTIZED),
        "board-plain": (_outputs(result.outputs_sha256), network.answer(picture, hurt), QUANTIZED),
    }
    for rung, (got, right, limit) in answers.items():
        error = float(np.linalg.norm(got.ravel() - right.ravel()) / np.linalg.norm(right))
        if not error <= limit:
            found.wrong.append(f"{leg} {rung} is off by {error:.4f}")
    for comparison in (leg.quantization, leg.on_board):
        layers = len(artifact.quantized.layers)
        if comparison.scores.count() != layers or comparison.summary.get("layers") != layers:
            found.wrong.append(f"{comparison} has {comparison.scores.count()} scores for {layers} layers")


def _last_layer(dump: Dump) -> NDArray[np.float32]:
    with DumpFile.open(files.existing(dump.sha256)) as file:
        return np.asarray(file.values(file.layers[-1].key), dtype=np.float32)


def _outputs(sha256: str) -> NDArray[np.float32]:
    with TensorFile.open(files.existing(sha256)) as file:
        [name] = file.specs
        return np.asarray(file.array(name), dtype=np.float32)


def _store(found: Findings) -> None:
    """Every name in the store is the hash of what is in it."""
    for path in Path(settings.STORE_DIR).glob("??/*"):
        if hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
            found.wrong.append(f"the store's {path.name} holds something else")


def _boards(stack: Stack, found: Findings) -> None:
    for board in Board.objects.all():
        if board.run_id is not None:
            found.held.append(f"{board} is held by run {board.run_id}")
        if board.state != BoardState.READY:
            found.held.append(f"{board} is {board.state}: {board.reason}")
    for simulated in stack.boards:
        found.overlaps += [f"{simulated.name}: {' '.join(line)}" for line in simulated.overlaps()]
        fences = [_fence(words[2]) for words in simulated.executions()]
        if fences != sorted(fences):
            found.overlaps.append(f"{simulated.name}: an older fence executed after a newer one: {fences}")
        found.left_behind += [f"{simulated.name} still has {name}" for name in simulated.run_folders()]


def _fence(run_folder: str) -> int:
    match = re.search(r"run-(\d+)", run_folder)
    return int(match[1]) if match else -1


def _left_behind(stack: Stack, found: Findings, patience_s: float = 30.0) -> None:
    """Job folders of killed workers are swept within some seconds; toolkits and NPU programs end at once."""
    folders = [Path(settings.WORK_DIR) / name for name in ("jobs", "runs")]

    def remaining() -> list[str]:
        return [str(path) for folder in folders if folder.is_dir() for path in folder.iterdir()]

    wait_until(lambda: not remaining(), patience_s)
    found.left_behind += remaining()
    for pid, command in of_folder(stack.folder).items():
        if "workers.toolkits." in command or "simboard.npu" in command or "boardagent" in command:
            found.left_behind.append(f"process {pid}: {command}")
