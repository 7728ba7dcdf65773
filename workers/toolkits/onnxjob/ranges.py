"""Which range of values each tensor needs: the three calibration algorithms.

normal: the least and the greatest value of all samples. percentile: what lies between the 0.001st and the
99.999th percentile. entropy: the symmetric threshold whose 256 levels lose the least information, cut to the
values that occur. Samples are taken one at a time; only ranges and histograms are kept.
"""

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from workers.toolkits.onnxjob.execute import Observed, execute, groups, session
from workers.toolkits.onnxjob.samples import Samples

ALGORITHMS = ("normal", "entropy", "percentile")
BINS = 2048
LEVELS = 256
TAIL = 0.00001
Range = tuple[float, float]


def find_ranges(
    model: onnx.ModelProto,
    tensors: Sequence[Observed],
    samples: Samples,
    algorithm: str,
    on_step: Callable[[int, int], None],
) -> dict[str, Range]:
    """Range of every tensor; tensors that are empty or were ever not finite are left out."""
    passes = 1 if algorithm == "normal" else 2
    extremes = Extremes()
    _visit(model, tensors, samples, extremes.add, lambda done, of: on_step(done, of * passes))
    found = extremes.ranges()
    if algorithm == "normal":
        return found
    histograms = Histograms(found, symmetric=algorithm == "entropy")
    kept = [tensor for tensor in tensors if tensor.name in found]
    _visit(model, kept, samples, histograms.add, lambda done, of: on_step(of + done, of * passes))
    return histograms.percentile() if algorithm == "percentile" else histograms.entropy()


def _visit(
    model: onnx.ModelProto,
    tensors: Sequence[Observed],
    samples: Samples,
    add: Callable[[str, NDArray[np.floating]], None],
    on_step: Callable[[int, int], None],
) -> None:
    """Hand each tensor of each sample to `add`; one group of tensors of one sample is held at a time."""
    given = {wanted.name for wanted in samples.inputs}
    cut = [[tensor.name for tensor in group] for group in groups(tensors)]
    steps = len(cut) * len(samples)
    for position, group in enumerate(cut):
        inner = [name for name in group if name not in given]
        running = session(model, inner)
        for index in range(len(samples)):
            feed = samples.prepared(index)
            values = execute(running, inner, feed) if inner else []
            for name in group:
                add(name, feed[name] if name in given else values.pop(0))
            del values  # Before the next execution makes the same again.
            on_step(position * len(samples) + index + 1, steps)


class Extremes:
    """Least and greatest value of each tensor so far."""

    def __init__(self) -> None:
        self.low: dict[str, float] = {}
        self.high: dict[str, float] = {}
        self.odd: set[str] = set()

    def add(self, name: str, value: NDArray[np.floating]) -> None:
        if value.size == 0:
            self.odd.add(name)
            return
        low, high = float(value.min()), float(value.max())
        if not np.isfinite(low) or not np.isfinite(high) or max(-low, high) > 3e38:
            self.odd.add(name)  # NaN spreads to both ends, so no value is missed.
            return
        self.low[name] = min(low, self.low.get(name, low))
        self.high[name] = max(high, self.high.get(name, high))

    def ranges(self) -> dict[str, Range]:
        return {name: (self.low[name], self.high[name]) for name in self.low if name not in self.odd}


class Histograms:
    """Counts of each tensor's values over its known range."""

    def __init__(self, ranges: dict[str, Range], *, symmetric: bool) -> None:
        self.ranges = ranges
        self.symmetric = symmetric
        self.bins = BINS
        self.counts: dict[str, NDArray[np.int64]] = {}

    def bounds(self, name: str) -> Range:
        low, high = self.ranges[name]
        reach = max(-low, high)
        return (-reach, reach) if self.symmetric else (low, high)

    def add(self, name: str, value: NDArray[np.floating]) -> None:
        low, high = self.bounds(name)
        if high > low:
            counts, _ = np.histogram(value, bins=self.bins, range=(low, high))
            self.counts[name] = self.counts.get(name, np.int64(0)) + counts

    def percentile(self) -> dict[str, Range]:
        return {
            name: self._between(name) if name in self.counts else self.ranges[name] for name in self.ranges
        }

    def _between(self, name: str) -> Range:
        low, high = self.bounds(name)
        share = np.cumsum(self.counts[name]) / self.counts[name].sum()
        width = (high - low) / self.bins
        first = int(np.searchsorted(share, TAIL))
        last = int(np.searchsorted(share, 1 - TAIL))
        return low + first * width, low + (min(last, self.bins - 1) + 1) * width

    def entropy(self) -> dict[str, Range]:
        return {
            name: self._least_loss(name) if name in self.counts else self.ranges[name] for name in self.ranges
        }

    def _least_loss(self, name: str) -> Range:
        reach = self.bounds(name)[1]
        low, high = self.ranges[name]
        halves = range(LEVELS // 2, self.bins // 2 + 1, 8)
        best = min(halves, key=lambda half: information_loss(self.counts[name], half))
        threshold = reach * best / (self.bins // 2)
        return max(low, -threshold), min(high, threshold)


def information_loss(counts: NDArray[np.int64], half: int) -> float:
    """Kullback-Leibler divergence when only `half` bins on each side of the middle are kept and merged into
    256 levels.

    What lies outside is added to the outermost kept bins, as clipping does (the method that TensorRT made
    known).
    """
    middle = len(counts) // 2
    kept = counts[middle - half : middle + half].astype(np.float64)
    clipped = kept.copy()
    clipped[0] += counts[: middle - half].sum()
    clipped[-1] += counts[middle + half :].sum()
    level = np.arange(2 * half) * LEVELS // (2 * half)
    filled = kept > 0
    sums = np.bincount(level, weights=kept, minlength=LEVELS)
    spread = np.where(
        filled, sums[level] / np.maximum(np.bincount(level, weights=filled, minlength=LEVELS)[level], 1), 0
    )
    p, q = (1e-9 + values / max(values.sum(), 1.0) for values in (clipped, spread))
    return float(np.sum(p * np.log(p / q)))
