"""How fast the text of layer dumps is read, as a ratio to numpy.loadtxt: `python -m tests.bench.bench_layerdump`.

Of one file of --count numbers as C's "%f" prints them, for each of a few kinds of layers. The readers take turns, so
that other load on the machine meets them alike; a ratio is the median over the turns of what the peer took to what
ours took, in wall time. The file is in the page cache, compiling is shown apart. Ends with 1 when a limit is missed.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from similarity.stored import Floats
from workers.layerdump import numbers
from workers.layerdump.usual import usual_lines

LEAST_RATIO = 20.0
OURS, PEER = "read_numbers", "numpy.loadtxt(path)"


def layers(count: int) -> dict[str, Floats]:
    """Values as layers have them: of a float network, quantized to 256 steps behind a ReLU, large, tiny."""
    normal = np.random.default_rng(0).standard_normal(count, np.float32)
    steps = np.clip(np.round(normal / 0.03), 0, 255) * 0.03
    return {"normal": 2 * normal, "quantized": steps, "large": 3000 * normal, "tiny": 1e-4 * normal}


def seconds(read: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of one reading."""
    wall, processor = time.perf_counter(), time.process_time()
    read()
    return time.perf_counter() - wall, time.process_time() - processor


def measure(readers: Mapping[str, Callable[[], object]], turns: int) -> dict[str, list[tuple[float, float]]]:
    """What each reader took in each turn. Ours, which is over so soon, is read five times a turn: their median."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in readers}
    for _ in range(turns):
        for name, read in readers.items():
            times = [seconds(read) for _ in range(1 if name == PEER else 5)]
            took[name].append(
                (statistics.median(t[0] for t in times), statistics.median(t[1] for t in times))
            )
    return took


def report(kind: str, path: Path, count: int, turns: int) -> float:
    """Print every figure of one kind of layer; the ratio that the limit is about."""
    readers: dict[str, Callable[[], object]] = {
        PEER: lambda: np.loadtxt(path),
        OURS: lambda: numbers.read_numbers(path, count),
        "bytes.count(b'\\n')": lambda: path.read_bytes().count(b"\n"),
    }
    took = measure(readers, turns)
    print(f"{kind}: {path.stat().st_size / 1e6:.0f} MB, {path.stat().st_size / count:.1f} bytes a number")
    for name, times in took.items():
        wall, processor = (statistics.median(t[which] for t in times) for which in (0, 1))
        ratios = [
            statistics.median(peer[which] / own[which] for peer, own in zip(took[PEER], times, strict=True))
            for which in (0, 1)
        ]
        print(
            f"  {name:20} {count / wall / 1e6:6.1f} million/s {path.stat().st_size / wall / 1e6:6.0f} MB/s "
            f"{ratios[0]:5.1f} x the peer "
            f"({ratios[1]:.1f} x in processor time, {processor / count * 1e9:.1f} ns a number)"
        )
    return statistics.median(peer[0] / own[0] for peer, own in zip(took[PEER], took[OURS], strict=True))


def main(arguments: list[str]) -> int:
    """1 when the limit is missed for a kind of layer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4_000_000)
    parser.add_argument("--turns", type=int, default=7)
    given = parser.parse_args(arguments)
    wall, processor = seconds(usual_lines)
    print(f"loading numba and compiling: {wall:.1f} s, {processor:.1f} s of processor time")
    print(f"{len(os.sched_getaffinity(0))} processors, load {os.getloadavg()[0]:.1f}")
    worst = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.txt"
        for kind, values in layers(given.count).items():
            path.write_text("".join(f"{value:f}\n" for value in values.tolist()))
            assert np.array_equal(
                numbers.read_numbers(path, given.count), np.loadtxt(path).astype(np.float32)
            )
            worst = min(worst, report(kind, path, given.count, given.turns))
    print(f"at least {worst:.1f} x as fast as numpy.loadtxt, limit {LEAST_RATIO:g} x")
    return 0 if worst >= LEAST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
