"""The figure of a board's medians over time, one line per artifact (see dashboard/layers/charts.py for the form)."""

from collections.abc import Sequence
from typing import Any

from django.urls import reverse

from dashboard.boards.models import Run
from dashboard.layers.charts import plain

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7f7f7f")
MARKERS = ("circle", "diamond", "square", "triangle-up", "x", "star", "pentagon")
MOST_LINES = 7


def medians_chart(runs: Sequence[Run]) -> dict[str, Any]:
    """Medians in milliseconds over time; only runs of one artifact are comparable, so each artifact has its line."""
    by_artifact: dict[int, list[Run]] = {}
    for run in runs:
        by_artifact.setdefault(run.artifact_id, []).append(run)
    newest = sorted(by_artifact.values(), key=lambda of_one: -of_one[-1].pk)[:MOST_LINES]
    lines = [_line(number, of_one) for number, of_one in enumerate(newest)]
    return {"figure": {"data": lines, "layout": _layout(len(lines))}, "choices": []}


def _line(number: int, runs: Sequence[Run]) -> dict[str, Any]:
    colour = COLOURS[number]
    name = plain(f"{runs[0].artifact.conversion.source} (artifact {runs[0].artifact_id})")
    simulated = " (simulated)" if any(run.result.simulated for run in runs) else ""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": f"{name}{simulated}",
        "x": [run.created_at.isoformat() for run in runs],
        "y": [run.result.median_us / 1000 for run in runs],
        "customdata": [[f"run {run.pk}", reverse("run", args=[run.pk])] for run in runs],
        "hovertemplate": "<b>%{customdata[0]}</b><br>%{x|%Y-%m-%d %H:%M}<br>median %{y:.3f} ms<extra></extra>",
        "line": {"color": colour, "width": 1.5},
        "marker": {"color": colour, "symbol": MARKERS[number], "size": 7},
    }


def _layout(lines: int) -> dict[str, Any]:
    return {
        "height": 240 + 20 * lines,
        "margin": {"l": 60, "r": 15, "t": 10 + 20 * lines, "b": 40},
        "hovermode": "closest",
        "showlegend": True,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "xaxis": {"type": "date", "nticks": 8},
        "yaxis": {"title": {"text": "median, ms"}, "rangemode": "tozero", "automargin": True},
    }
