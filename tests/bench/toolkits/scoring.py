"""What a worker does with a conversion's dumps, and the scores of the vendor's pairs, in a process of its own.

`python -m tests.bench.toolkits.scoring FOLDER SNAPSHOT`: FOLDER holds the job's dumps, SNAPSHOT the vendor's npy files.
Leaves told.json in the working directory. Memory is what the comparison added to the process once everything was
imported and compiled, mapped pages of the dumps included.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from similarity.compare import compare_dumps
from similarity.dumpfile import DumpFile
from similarity.fused import warm_up
from similarity.metrics import core_scores
from tests.memory import peak_kb

TURNS = 7


def compared(folder: Path) -> None:
    """Both comparisons that an evaluation makes of a conversion's dumps."""
    for one, other in (("framework", "converted"), ("converted", "quantized")):
        paths = [folder / f"{rung}.safetensors" for rung in (one, other)]
        with DumpFile.open(paths[0]) as reference, DumpFile.open(paths[1]) as candidate:
            compare_dumps(reference, candidate)


def scored(snapshot: Path) -> int:
    """Every score of one pass, of every pair of files; how many pairs there are."""
    golden = sorted((snapshot / "golden" / "npy").glob("*.npy"))
    pairs = [(path, snapshot / "simulator" / "npy" / path.name) for path in golden]
    present = [pair for pair in pairs if pair[1].is_file()]
    for one, other in present:
        core_scores(np.load(one), np.load(other))
    return len(present)


def seconds(act: Any, *args: Any) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    act(*args)
    return time.perf_counter() - wall, time.process_time() - processor


def peak_from_now_on() -> int:
    """KB resident now; from here on the kernel notes the peak anew [man 5 proc, clear_refs]."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_kb(os.getpid())


def main() -> None:
    folder, snapshot = Path(sys.argv[1]), Path(sys.argv[2])
    compiling = seconds(warm_up)
    before = peak_from_now_on()
    first = seconds(compared, folder)
    grown = peak_kb(os.getpid()) - before
    pairs = scored(snapshot)
    taken = [seconds(scored, snapshot) for _ in range(TURNS)]
    Path("told.json").write_text(json.dumps({
        "compared": first, "grown_kb": grown, "pairs": pairs, "compiling": compiling,
        "scored": [statistics.median(one[which] for one in taken) for which in (0, 1)],
    }))  # fmt: skip


if __name__ == "__main__":
    main()
