"""The demonstration's report on the terminal: one table and one verdict a route."""

from collections.abc import Iterator
from typing import Any

COLUMNS = f"{'layer':44} {'float->quantized':>17} {'quantized->board':>17} {'order-free':>11} {'time us':>9}"


def lines(report: dict[str, Any]) -> Iterator[str]:
    """The report as text, a line at a time. `report` is what var/demo-report.json holds."""
    for leg in report["legs"]:
        yield ""
        yield f"Route {leg['route']}" + ("   [board: simulated]" if leg["simulated"] else "")
        yield COLUMNS
        yield "-" * len(COLUMNS)
        for layer in leg["layers"]:
            yield (
                f"{layer['name'][-44:]:44} {_number(layer['quantization_cosine']):>17}"
                f" {_number(layer['board_cosine']):>17} {_number(layer['board_order_free']):>11}"
                f" {_time(layer['time_us']):>9}"
            )
        if leg["median_us"] is not None:
            yield f"whole network: {leg['median_us'] / 1000:.2f} ms (median)"
        yield f"Verdict: {leg['outcome'].upper()}. {leg['sentence']}"
        for advice in leg["advice"]:
            yield f"  -> {advice}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _time(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
