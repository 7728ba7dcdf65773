"""Bench of the core metrics: speed against reading both tensors once with np.dot, and extra memory.

Run as `python -m tests.bench.bench_similarity`; exits with 1 when a limit is missed. Both contenders run in turns, so
that other load on the machine meets them alike, and the best of the turns counts.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np

from similarity.compare import compare_dumps
from similarity.dumpfile import DumpFile, layer_of, write_dump
from similarity.metrics import core_scores
from similarity.stored import Floats

# Two of these are more than any cache here, and small enough to meet a quiet moment on a busy machine.
ELEMENTS = 16 * 1024 * 1024
TURNS = 40
LEAST_SHARE = 0.40
MOST_MEMORY = 2.0


def main() -> int:
    """Print every figure and say whether the limits hold."""
    a, b = two_layers(ELEMENTS)
    share = report_speed(a, b)
    memory = report_memory(a, b)
    report_dumps()
    missed = [
        name
        for name, held in (("speed", share >= LEAST_SHARE), ("memory", memory <= MOST_MEMORY))
        if not held
    ]
    print(f"limits missed: {', '.join(missed)}" if missed else "all limits held")
    return 1 if missed else 0


def two_layers(elements: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(0)
    a = rng.standard_normal(elements, dtype=np.float32)
    return a, a + np.float32(0.03) * rng.standard_normal(elements, dtype=np.float32)


def report_speed(a: Floats, b: Floats) -> float:
    """The share of np.dot's bandwidth that core_scores reaches as it is called by everybody."""
    runs: dict[str, Callable[[], object]] = {
        "np.dot of both": lambda: (np.dot(a, a), np.dot(b, b)),
        "core_scores": lambda: core_scores(a, b),
    }
    best = best_of_turns(runs)
    peer = best["np.dot of both"]
    print(f"two float32 layers of {a.nbytes / 1e6:.0f} MB, {len(os.sched_getaffinity(0))} cores,", end=" ")
    print(f"load {os.getloadavg()[0]:.1f}, best of {TURNS} turns")
    for name, seconds in best.items():
        rate = (a.nbytes + b.nbytes) / seconds / 1e9
        print(f"  {name:24} {seconds * 1e3:7.1f} ms {rate:6.1f} GB/s {peer / seconds:6.0%} of np.dot")
    return peer / best["core_scores"]


def best_of_turns(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(TURNS):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - started)
    return best


def report_memory(a: Floats, b: Floats) -> float:
    """Peak of extra memory in sizes of the largest layer."""
    tracemalloc.start()
    core_scores(a, b)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"extra memory of core_scores: {peak / 1e6:.1f} MB, {peak / a.nbytes:.3f} x the largest layer")
    return peak / a.nbytes


def report_dumps() -> None:
    """A whole comparison of two dump files of 20 layers, the quantized one in uint8."""
    arrays = [two_layers(1 << 20)[0] for _ in range(20)]
    with tempfile.TemporaryDirectory() as folder:
        one, two = Path(folder) / "one", Path(folder) / "two"
        layers = [layer_of(array, f"layer{index}", "Conv") for index, array in enumerate(arrays)]
        write_dump(one, "framework", layers, arrays)
        steps = [np.clip(np.round(array / 0.04) + 128, 0, 255).astype(np.uint8) for array in arrays]
        grid = {"scale": 0.04, "zero_point": 128, "qmin": 0, "qmax": 255}
        layers = [layer_of(array, f"layer{index}", "Conv", **grid) for index, array in enumerate(steps)]
        write_dump(two, "quantized", layers, steps)
        with DumpFile.open(one) as reference, DumpFile.open(two) as candidate:
            started = time.perf_counter()
            compare_dumps(reference, candidate)
            seconds = time.perf_counter() - started
    size = sum(array.nbytes for array in arrays) + sum(step.nbytes for step in steps)
    print(f"compare_dumps, 20 layers float32 and uint8, {size / 1e6:.0f} MB: {seconds * 1e3:.0f} ms")
    print(
        f"largest resident size of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB"
    )


if __name__ == "__main__":
    sys.exit(main())
