"""The figures of one network, and which of its limits are missed."""

import statistics
from collections.abc import Callable

from tests.bench.toolkits.conversion import Round

MOST_SHARE = 0.10
LEAST_RATIO = 10.0


def print_network(name: str, rounds: list[Round]) -> tuple[dict[str, float], list[str]]:
    """Print the medians; returns them with the names of the limits that are missed."""
    figures = {key: statistics.median(map(of, rounds)) for key, of in FIGURES.items()}
    print(f"== {name}, median of {len(rounds)} rounds")
    for key, value in figures.items():
        print(f"  {key:44} {value:9.3f}")
    for call in rounds[0].calls:
        wall, processor = (
            statistics.median(getattr(one.calls[call], kind) for one in rounds)
            for kind in ("wall", "processor")
        )
        print(f"    vendor's {call:34} {wall:9.3f} s, {processor:.3f} s of processor")
    return figures, missed(figures)


def missed(figures: dict[str, float]) -> list[str]:
    """Names of the limits that are not kept."""
    most = ("our share of time", "our share of memory, job", "our share of memory, comparing")
    return [key for key in most if figures[key] > MOST_SHARE] + [
        key for key in ("accuracy_analysis / our scores",) if figures[key] < LEAST_RATIO
    ]


def vendor(one: Round, kind: str) -> float:
    """Seconds in the vendor's calls."""
    return float(sum(getattr(spent, kind) for spent in one.calls.values()))


def ours(one: Round, kind: str) -> float:
    """Seconds around them, and of comparing; without our run of the float network."""
    around = getattr(one.whole, kind) - vendor(one, kind) - getattr(one.float_network, kind)
    return float(around + getattr(one.compared, kind))


FIGURES: dict[str, Callable[[Round], float]] = {
    "vendor's calls, processor s": lambda one: vendor(one, "processor"),
    "vendor's calls, wall s": lambda one: vendor(one, "wall"),
    "around them and comparing, processor s": lambda one: ours(one, "processor"),
    "around them and comparing, wall s": lambda one: ours(one, "wall"),
    "of it comparing, processor s": lambda one: one.compared.processor,
    "our run of the float network, processor s": lambda one: one.float_network.processor,
    "our share of time": lambda one: ours(one, "processor") / vendor(one, "processor"),
    "our share of time, by the wall": lambda one: ours(one, "wall") / vendor(one, "wall"),
    "vendor alone, MB": lambda one: one.vendor_mb,
    "job, MB": lambda one: one.job_mb,
    "comparing, MB": lambda one: one.comparing_mb,
    "our share of memory, job": lambda one: (one.job_mb - one.vendor_mb) / one.vendor_mb,
    "our share of memory, comparing": lambda one: one.comparing_mb / one.vendor_mb,
    "our scores of its npy pairs, wall s": lambda one: one.scored.wall,
    "its two scores of as many pairs, s": lambda one: one.their_scores,
    "accuracy_analysis / our scores": lambda one: one.calls["accuracy_analysis"].wall / one.scored.wall,
    "its two scores / all of ours": lambda one: one.their_scores / one.scored.wall,
}
