"""Figures of imports: the vendor's scores and ours as lines over the layers, imported times as bars."""

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.imports.models import ImportedTable, Scope
from dashboard.imports.shown import ScoreRow, ScoreTable
from dashboard.layers.charts import BLUE, GREY, HOVER, MOST_LABELS, ORANGE, plain
from dashboard.layers.rows import merged

GREEN = "#009E73"
LOOKS = {Scope.ENTIRE: (BLUE, "circle"), Scope.SINGLE: (GREEN, "square"), Scope.NPU: (ORANGE, "diamond")}
METRICS = {"cosine": "cosine", "euclidean": "Euclidean", "euclidean_norm": "Eucl. norm"}


def scores_chart(tables: Sequence[ScoreTable]) -> dict[str, Any]:
    """Each scope as the vendor printed it, and dotted as we computed it; one metric at a time."""
    names: list[str] = []
    for table in tables:
        names = merged(names, [identity(row) for row in table.rows])
    places = {name: place for place, name in enumerate(names)}
    shown = {identity(row): row.score.name for table in tables for row in table.rows}
    traces: list[dict[str, Any]] = []
    choices: list[dict[str, Any]] = []
    for metric in [name for name in METRICS if any(name in table.metrics for table in tables)]:
        first = len(traces)
        for table in tables:
            if metric in table.metrics:
                traces += _lines(table, metric, places, is_visible=not choices)
        told = {"yaxis.title.text": METRICS[metric], "yaxis.autorange": True}
        choices.append({"name": METRICS[metric], "show": list(range(first, len(traces))), "layout": told})
    title = str(choices[0]["name"]) if choices else ""
    return {
        "figure": {"data": traces, "layout": _layout([shown[name] for name in names], title)},
        "choices": choices,
    }


def identity(row: ScoreRow) -> str:
    """What makes rows of two tables the same layer."""
    return row.score.key or row.score.name


def _lines(
    table: ScoreTable, metric: str, places: Mapping[str, int], is_visible: bool
) -> list[dict[str, Any]]:
    """The vendor's line, and ours where there is one."""
    colour, symbol = LOOKS[table.scope]
    at = table.metrics.index(metric)
    vendor = [getattr(row.score, metric) for row in table.rows]
    ours = [float(row.figures[at].ours) if row.figures[at].ours else None for row in table.rows]
    lines = [_line(table, places, vendor, f"vendor, {table.scope.value}", "solid", colour, symbol)]
    if any(value is not None for value in ours):
        lines.append(
            _line(table, places, ours, f"ours, {table.scope.value}", "dot", colour, f"{symbol}-open")
        )
    return [{**line, "visible": is_visible} for line in lines]


def _line(  # noqa: PLR0917 - the parts of a line, in the order of its legend
    table: ScoreTable,
    places: Mapping[str, int],
    values: Sequence[float | None],
    label: str,
    dash: str,
    colour: str,
    symbol: str,
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": f"{label} (imported)",
        "x": [places[identity(row)] for row in table.rows],
        "y": list(values),
        "customdata": [[plain(row.score.name), plain(row.score.op)] for row in table.rows],
        "hovertemplate": HOVER + f"{label}: %{{y}}<extra></extra>",
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"color": colour, "size": 9 if dash == "dot" else 7, "symbol": symbol},
    }


def times_chart(table: ImportedTable) -> dict[str, Any]:
    """The rows of a table of times as bars, in the order of execution."""
    rows = table.rows
    bars = {
        "type": "bar",
        "name": "time (imported)",
        "x": list(range(len(rows))),
        "y": [row["time_us"] for row in rows],
        "customdata": [[plain(row["name"]), plain(f"{row['op']} {row['target']}".strip())] for row in rows],
        "hovertemplate": HOVER + "%{y:.1f} µs<extra></extra>",
        "marker": {"color": GREY},
    }
    return {"figure": {"data": [bars], "layout": _layout([row["name"] for row in rows], "µs")}, "choices": []}


def _layout(names: Sequence[str], title: str) -> dict[str, Any]:
    every = max(1, -(-len(names) // MOST_LABELS))
    return {
        "height": 400,
        "margin": {"l": 60, "r": 20, "t": 56, "b": 110},
        "hovermode": "closest",
        "legend": {"orientation": "h", "y": 1.09, "yanchor": "bottom", "x": 0},
        "xaxis": {
            "tickmode": "array",
            "tickvals": list(range(0, len(names), every)),
            "ticktext": [plain(name if len(name) <= 22 else f"…{name[-21:]}") for name in names[::every]],
            "tickangle": -40,
            "showgrid": False,
            "range": [-0.6, len(names) - 0.4],
            "automargin": True,
        },
        "yaxis": {"title": {"text": title}, "zeroline": False, "automargin": True},
    }
