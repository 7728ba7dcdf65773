"""The demonstration's report on the terminal: one table and one verdict a route."""

from collections.abc import Iterator
from typing import Any

from dashboard.demo.client import Client

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


def collect(client: Client, evaluation: dict[str, Any]) -> dict[str, Any]:
    """The report as data: every leg with its verdict and its layers, as var/demo-report.json holds it."""
    return {
        "evaluation": evaluation["id"],
        "version": evaluation["version"],
        "outcome": evaluation["outcome"],
        "requested_at": evaluation["created_at"],
        "ended_at": evaluation["ended_at"],
        "simulated": any(leg["simulated"] for leg in evaluation["legs"]),
        "legs": [_leg(client, leg) for leg in evaluation["legs"]],
    }


def _leg(client: Client, leg: dict[str, Any]) -> dict[str, Any]:
    run = client.get(f"/runs/{leg['run']}/") if leg["run"] else {}
    result = run.get("result") or {}
    return {
        "route": leg["route"],
        "simulated": leg["simulated"],
        "outcome": leg["outcome"],
        "sentence": leg["sentence"],
        "step": leg["step"],
        "first_bad_layer": leg["first_bad_layer"],
        "ended_at": leg["ended_at"],
        "reasons": leg["reasons"],
        "advice": leg["advice"],
        "jobs": leg["jobs"],
        "median_us": result.get("median_us"),
        "iterations_us": result.get("iterations_us", []),
        "layers": _layers(client, leg, result),
    }


def _layers(client: Client, leg: dict[str, Any], result: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a layer: both comparisons and the board's time."""
    quantization = _scores(client, leg["quantization"])
    board = {score["reference_key"]: score for score in _scores(client, leg["on_board"])}
    times = {layer["key"]: layer["time_us"] for layer in result.get("timed_layers", [])}
    rows = []
    for score in quantization:
        on_board = board.get(score["candidate_key"], {})
        rows.append(
            {
                "key": score["candidate_key"],
                "name": score["name"],
                "op": score["op"],
                "shape": score["shape"],
                "quantization_cosine": score["cosine"],
                "quantization_sqnr_db": score["sqnr_db"],
                "board_cosine": on_board.get("cosine"),
                "board_sqnr_db": on_board.get("sqnr_db"),
                "board_order_free": on_board.get("order_free"),
                "time_us": times.get(score["candidate_key"]),
            }
        )
    return rows


def _scores(client: Client, comparison: int | None) -> list[dict[str, Any]]:
    """Every score of a comparison, page by page."""
    scores: list[dict[str, Any]] = []
    page = 1
    while comparison:
        answer = client.get(f"/comparisons/{comparison}/scores/?page={page}&page_size=500")
        scores += answer["results"]
        page += 1
        if not answer["next"]:
            break
    return scores
