"""How the two executions of a run relate in time: the plain one, and the one with a clock around every layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.boards.models import RunResult

SLOWER = 0.95  # what differs less is the ordinary scatter between two executions


@dataclass(frozen=True)
class Totals:
    """Times in microseconds: `plain_us` the median of the plain run's iterations, `timed_us` the whole execution with
    timing on (the layers' sum where the board told no total), `layers_us` the sum of the layers' times.
    """

    plain_us: float
    timed_us: float
    layers_us: float
    iterations: int
    hangs: int

    @property
    def ratio(self) -> float | None:
        """How much longer the execution with timing on takes than the plain one."""
        return self.timed_us / self.plain_us if self.plain_us else None

    @property
    def scale(self) -> float | None:
        """What a layer's time is multiplied by, so that the scaled times of all layers add up to the plain run's."""
        return self.plain_us / self.layers_us if self.layers_us else None

    @property
    def remarks(self) -> list[str]:
        """What makes the plain run's total, and so the scaled times, doubtful."""
        found = []
        if self.hangs:
            found.append(
                f"{self.hangs} of {self.iterations} plain iterations hung (more than ten medians each). The median "
                "leaves them out, and so do the scaled times; a hang is a defect of its own."
            )
        if self.ratio is not None and self.ratio < SLOWER:
            found.append(
                "The plain run was slower than the one with timing on. Timing costs time, so the board was hotter, "
                "clocked lower or busier in the plain run: take the scaled times as shares, not as times."
            )
        return found


def totals_of(result: RunResult) -> Totals | None:
    """Both totals of a run; None when no layer was timed."""
    if not result.timed_layers:
        return None
    spent = layers_total(result.timed_layers)
    return Totals(
        plain_us=result.median_us,
        timed_us=spent if result.timed_total_us is None else result.timed_total_us,
        layers_us=spent,
        iterations=len(result.iterations_us),
        hangs=result.hangs,
    )


def layers_total(timed: Sequence[Mapping[str, Any]]) -> float:
    """The sum of the layers' times in microseconds."""
    return sum(float(layer["time_us"]) for layer in timed)
