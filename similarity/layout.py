"""Same numbers, another order? Known rearrangements are tried on a sample before a layer is judged.

Boards and toolkits disagree on NHWC and NCHW, on the order of channels and on what DepthToSpace does; the
numbers decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from similarity.gather import Gather, Positions
from similarity.metrics import Tensor, core_scores
from similarity.orders import Guess, guesses
from similarity.stored import Floats, StoredTensor, stored

SAMPLE = 2048
# Sampled correlation from which a rearrangement is worth a full look, and full cosine from which it is
# believed.
LIKELY = 0.9
BELIEVED = 0.95
# Between equal shapes a rearrangement must leave at most this part of the distance of reading in order.
GAIN = 0.25
# How far mean and spread may differ, in standard deviations of the reference.
STATISTICS_LIMIT = 0.25
CHUNK = 1 << 16


@dataclass(frozen=True)
class Rearrangement:
    """The candidate holds the reference's values in another order; `cosine` is theirs once put in order.

    `sentence` continues "the board leaves the quantized graph at X: ...".
    """

    name: str
    sentence: str
    cosine: float
    how: Gather

    def apply(self, candidate: Tensor) -> StoredTensor:
        """`candidate` in the reference's order, as one row."""
        return self.how.apply(stored(candidate))


def rearrangement(reference: Tensor, candidate: Tensor) -> Rearrangement | None:
    """The known rearrangement that turns `candidate` into `reference`, or None when none fits clearly.

    Shapes may differ when the element counts agree, or when the candidate only has padded channels more;
    equal values in order under another shape are called "other shape". A rearrangement is believed when the
    cosine reaches 0.95; between equal shapes it must also leave at most a quarter of the distance that
    reading in order leaves, so that smooth pictures and constants are not "explained" by an order that fits
    about as well.
    """
    a, b = stored(reference), stored(candidate)
    if a.size == 0 or max(len(a.shape), len(b.shape)) > 30:
        return None
    if a.size == b.size and not same_statistics(statistics(a), statistics(b)):
        return None
    positions = np.unique(np.random.default_rng(0).integers(0, a.size, SAMPLE))
    wanted = Gather().sample(a, positions)
    best = _best_guess(wanted, b, guesses(a.shape, b.shape), positions)
    if best is None:
        return None
    distance, guess = best
    if a.shape == b.shape and distance >= GAIN * _distance(wanted, Gather().sample(b, positions)):
        return None
    cosine = core_scores(a, guess.how.apply(b)).cosine
    return Rearrangement(guess.name, guess.sentence, cosine, guess.how) if cosine >= BELIEVED else None


@dataclass(frozen=True)
class Statistics:
    """What does not depend on the order of a tensor's elements."""

    size: int
    mean: float
    spread: float
    low: float
    high: float


def statistics(tensor: Tensor) -> Statistics:
    """Mean, standard deviation, minimum and maximum in one pass; NaN where the tensor holds NaN."""
    flat = stored(tensor).flat()
    buffer: Floats = np.empty(min(CHUNK, flat.size), np.float32)
    total = squares = 0.0
    low, high = math.inf, -math.inf
    with np.errstate(all="ignore"):
        for start in range(0, flat.size, CHUNK):
            block = flat.block(start, min(flat.size, start + CHUNK), buffer)
            total += float(block.sum(dtype=np.float64))
            squares += float(np.vecdot(block, block))
            low, high = min(low, float(block.min())), max(high, float(block.max()))
    mean = total / max(1, flat.size)
    variance = squares / max(1, flat.size) - mean * mean
    return Statistics(flat.size, mean, math.sqrt(variance) if variance > 0 else 0.0 * variance, low, high)


def same_statistics(reference: Statistics, candidate: Statistics, limit: float = STATISTICS_LIMIT) -> bool:
    """Whether two tensors may hold the same values: when mean or spread differ, no rearrangement can help."""
    slack = limit * reference.spread + 1e-6 * abs(reference.mean)
    near_mean = abs(reference.mean - candidate.mean) <= slack
    near_spread = abs(reference.spread - candidate.spread) <= slack
    return reference.size == candidate.size and near_mean and near_spread


def _distance(wanted: Floats, found: Floats) -> float:
    """1 - correlation: unlike 1 - cosine it is not fooled by values that are all positive."""
    if np.array_equal(wanted, found):
        return 0.0
    with np.errstate(all="ignore"):
        x, y = wanted - wanted.mean(dtype=np.float64), found - found.mean(dtype=np.float64)
        norms = math.sqrt(float(x @ x) * float(y @ y))
        return 1.0 - float(x @ y) / norms if norms > 0.0 else 1.0


def _best_guess(
    wanted: Floats, candidate: StoredTensor, tried: Iterable[Guess], positions: Positions
) -> tuple[float, Guess] | None:
    """The guess with the smallest distance; among about equals the first, because simple ones come first."""
    best: tuple[float, Guess] | None = None
    for guess in tried:
        distance = _distance(wanted, guess.how.sample(candidate, positions))
        if distance <= 1.0 - LIKELY and (best is None or distance < 0.9 * best[0] - 1e-9):
            best = (distance, guess)
    return best
