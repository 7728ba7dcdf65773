"""One round: a conversion by the production path with a watch in it, then the vendor alone, then our scoring."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from tests.bench.toolkits.networks import Samples
from tests.toolkits.networks import write_job
from workers.jobfolder import JobFolder
from workers.toolkits.jobs import ROOT
from workers.toolkits.rknn2 import Rknn2Toolkit

PLATFORM = "rk3588"
RECIPE = {
    "toolkit": "rknn2",
    "platform": PLATFORM,
    "dtype": "w8a8",
    "algorithm": "normal",
    "optimization_level": 3,
    "inputs": {},
}
MB = 1024  # KB
WRAPPER = """#!/bin/sh
# The toolkit's interpreter, that runs the watched job in place of the job: -P -s -m <module> <folder>
exec "{python}" -P -s -m tests.bench.toolkits.timed_job "$5"
"""


@dataclass(frozen=True)
class Times:
    """Seconds, by the wall and of all processors."""

    wall: float
    processor: float


@dataclass(frozen=True)
class Round:
    """`whole` is the conversion as the worker sees it, `calls` the vendor's in it, `float_network` our run of the
    source in it, `compared` both comparisons of its dumps. `scored` is core_scores of `pairs` npy pairs, `their_scores`
    what the vendor spends in its own functions for as many. Memory in MB.
    """

    whole: Times
    calls: dict[str, Times]
    float_network: Times
    compared: Times
    scored: Times
    pairs: int
    their_scores: float
    job_mb: float
    vendor_mb: float
    comparing_mb: float


class Bench:
    """Converts networks with `toolkit` in folders below `folder`."""

    def __init__(self, folder: Path, toolkit: Rknn2Toolkit) -> None:
        self.folder, self.python = folder, toolkit.python
        wrapper = folder / "python"
        wrapper.write_text(WRAPPER.format(python=toolkit.python))
        wrapper.chmod(0o755)
        self.toolkit = Rknn2Toolkit(wrapper, toolkit.offered)

    def rounds(self, make: Callable[[], tuple[onnx.ModelProto, Samples]], count: int) -> list[Round]:
        model, samples = make()
        return [self._round(model, samples) for _ in range(count)]

    def _round(self, model: onnx.ModelProto, samples: Samples) -> Round:
        with JobFolder(self.folder / "jobs", "bench") as folder:
            write_job(folder, model, samples, **RECIPE)
            before, began = _processor(), time.perf_counter()
            self.toolkit.convert(folder, lambda event: None, lambda: False)
            whole = Times(time.perf_counter() - began, _processor() - before)
            timing = json.loads((folder.path / "timing.json").read_text())
            alone = self._alone(folder.path)
            snapshot = str(folder.path / "alone" / "snapshot")
            scoring = [sys.executable, "-m", "tests.bench.toolkits.scoring", str(folder.path), snapshot]
            ours = _told(scoring, folder.path)
        return Round(
            whole=whole,
            calls={name: Times(*spent) for name, spent in timing["calls"].items()},
            float_network=Times(*timing["own"]["float network"]),
            compared=Times(*ours["compared"]),
            scored=Times(*ours["scored"]),
            pairs=ours["pairs"],
            their_scores=alone["score_seconds"] / alone["score_calls"] * 2 * ours["pairs"],
            job_mb=timing["peak_kb"] / MB,
            vendor_mb=alone["peak_kb"] / MB,
            comparing_mb=ours["grown_kb"] / MB,
        )

    def _alone(self, folder: Path) -> dict[str, Any]:
        (folder / "alone").mkdir()
        sample, dataset = folder / "dataset" / "evaluation-0.npy", folder / "dataset" / "dataset.txt"
        module = "tests.bench.toolkits.vendor_alone"
        argv = [str(self.python), "-P", "-s", "-m", module, str(folder), str(dataset), str(sample), PLATFORM]
        return _told(argv, folder / "alone")


def _processor() -> float:
    """Processor seconds of this process and of all children that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def _told(argv: list[str], folder: Path) -> dict[str, Any]:
    """What the program leaves in told.json of the folder, where it runs."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "2",
        "HOME": str(folder),
    }
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{argv[4:6]} ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads((folder / "told.json").read_text())
    return found
