"""The figures as a table, the limits that they must keep, and one JSON line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.bench.farm.claims import ClaimCost
    from tests.bench.farm.load import FarmFigures

LEAST_SHARE = 0.90
MOST_P95_MS = 300.0
MOST_GROWTH = 1.5  # of a claim, from the shortest to the longest queue


def growth(costs: list[ClaimCost]) -> float:
    """How many times dearer a claim is with the longest queue than with the shortest."""
    return costs[-1].claim_ms / costs[0].claim_ms


def table(costs: list[ClaimCost], farm: FarmFigures) -> list[str]:
    """For people."""
    used = farm.used
    others = used.cores - used.left_to_us / used.wall
    rows = [
        ("queued", "claim", "queries", "waking"),
        *((f"{c.queued}", f"{c.claim_ms:.2f} ms", f"{c.queries}", f"{c.wake_ms:.2f} ms") for c in costs),
    ]
    lines = ["".join(f"{cell:>12}" for cell in row) for row in rows]
    return [
        *lines,
        f"claim, longest against shortest queue: {growth(costs):.2f} (at most {MOST_GROWTH})",
        "",
        f"{farm.boards} boards, {farm.runs} runs of {farm.board_seconds:g} s of board time: {farm.states}",
        f"wall {used.wall:.1f} s, {farm.runs / used.wall:.2f} runs/s, {min(farm.per_board)} to "
        f"{max(farm.per_board)} runs a board",
        f"processor {farm.cpu_per_run * 1e3:.0f} ms a run (everything together), {used.cores} cores, of which others "
        f"used {others:.2f}",
        f"least possible wall {farm.least_wall:.1f} s: the larger of runs x board time / boards and "
        "processor time / cores left",
        f"reached {farm.share_of_limit:.1%} of that limit (at least {LEAST_SHARE:.0%}); "
        f"boards held {farm.leased:.1%} of the wall time",
        f"board free to next run started: p50 {farm.gap_ms(50):.0f} ms, p95 {farm.gap_ms(95):.0f} ms "
        f"(at most {MOST_P95_MS:.0f}), {len(farm.gaps)} times",
        "the boards' processes had a control group of little weight: the farm did not wait for them"
        if farm.is_apart
        else "no control group could be made: the times include waiting for a core that a simulated board had",
    ]


def missed(costs: list[ClaimCost], farm: FarmFigures) -> list[str]:
    """Names of the limits that were not kept."""
    kept = {
        "share of the limit": farm.share_of_limit >= LEAST_SHARE,
        "p95 from free to started": farm.gap_ms(95) < MOST_P95_MS,
        "claim cost": growth(costs) <= MOST_GROWTH and len({cost.queries for cost in costs}) == 1,
        "every run succeeds": farm.states == {"succeeded": farm.runs},
    }
    return [name for name, held in kept.items() if not held]


def figures(costs: list[ClaimCost], farm: FarmFigures) -> dict[str, Any]:
    """For machines."""
    return {
        "boards": farm.boards,
        "runs": farm.runs,
        "wall_s": round(farm.used.wall, 1),
        "cpu_ms_per_run": round(farm.cpu_per_run * 1e3),
        "share_of_limit": round(farm.share_of_limit, 3),
        "held": round(farm.leased, 3),
        "boards_apart": farm.is_apart,
        "gap_p50_ms": round(farm.gap_ms(50), 1),
        "gap_p95_ms": round(farm.gap_ms(95), 1),
        "claim_ms": {cost.queued: round(cost.claim_ms, 2) for cost in costs},
        "claim_queries": {cost.queued: cost.queries for cost in costs},
        "claim_growth": round(growth(costs), 2),
    }
