"""Figures of a board's readings as plain Plotly JSON (see dashboard/layers/charts.py for the form of a chart)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from dashboard.telemetry.series import Point, Series

# Okabe and Ito's palette; markers differ as well
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#9aa5b1"
ROWS = 50


@dataclass(frozen=True)
class Line:
    """One line of a chart: the reading's field, its name, what a unit of the chart is in the field's."""

    field: str
    name: str
    unit: float
    colour: str
    symbol: str


@dataclass(frozen=True)
class Kind:
    """A chart: its id, title, unit, how its numbers are written, and its lines."""

    id: str
    title: str
    unit: str
    digits: int
    lines: tuple[Line, ...]


KINDS = (
    Kind("temperature", "Temperature", "°C", 1, (Line("temperature_c", "temperature", 1, ORANGE, "circle"),)),
    Kind(
        "clocks",
        "Clocks",
        "MHz",
        0,
        (
            Line("npu_hz", "NPU", 1e6, BLUE, "circle"),
            Line("cpu_hz", "CPU", 1e6, ORANGE, "diamond"),
            Line("ddr_hz", "DDR", 1e6, GREEN, "square"),
        ),
    ),
    Kind("memory", "Available memory", "MB", 0, (Line("mem_available_kb", "available", 1000, BLUE, "circle"),)),
    Kind("load", "Load", "", 2, (Line("load", "load, one minute", 1, GREEN, "circle"),)),
    Kind("disk", "Free disk", "MB", 0, (Line("disk_free_bytes", "free", 1e6, BLUE, "circle"),)),
)  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """A chart of the page: the figure, and the numbers of it for the table under it, newest first."""

    kind: Kind
    chart: Mapping[str, Any]
    rows: Sequence[tuple[Point, Sequence[str]]]


def charts_of(series: Series, visible_runs: Collection[int]) -> list[Chart]:
    """A chart of everything that the board told; marks of runs lead to those that the reader may see."""
    return [_chart(kind, series, visible_runs) for kind in KINDS if _told(kind, series)]


def _told(kind: Kind, series: Series) -> list[Line]:
    return [line for line in kind.lines if series.has(line.field)]


def _chart(kind: Kind, series: Series, visible_runs: Collection[int]) -> Chart:
    lines = _told(kind, series)
    traces = [_line(kind, line, series) for line in lines]
    if marks := _marks(series, visible_runs):
        traces.append(marks)
    rows = [(point, [_text(kind, line, point) for line in lines]) for point in series.points[::-1][:ROWS]]
    shown = Kind(kind.id, kind.title, kind.unit, kind.digits, tuple(lines))
    return Chart(
        shown, {"figure": {"data": traces, "layout": _layout(kind, lines, series)}, "choices": []}, rows
    )


def _line(kind: Kind, line: Line, series: Series) -> dict[str, Any]:
    known = [point for point in series.points if point.values[line.field] is not None]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": line.name,
        "x": [point.at.isoformat() for point in known],
        "y": [(point.values[line.field] or 0) / line.unit for point in known],
        "hovertemplate": f"%{{x|%Y-%m-%d %H:%M}}<br>{line.name} %{{y:.{kind.digits}f}} {kind.unit}<extra></extra>",
        "line": {"color": line.colour, "width": 1.5},
        "marker": {"color": line.colour, "symbol": line.symbol, "size": 5},
    }


def _marks(series: Series, visible_runs: Collection[int]) -> dict[str, Any] | None:
    """A small triangle at the lower edge for every run; those of other projects tell no number."""
    runs = {point.run: point.at for point in series.points if point.run}
    if not runs:
        return None
    told = [
        [f"run {run}", reverse("run", args=[run])] if run in visible_runs else ["a run", ""] for run in runs
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "runs",
        "showlegend": False,
        "x": [at.isoformat() for at in runs.values()],
        "y": [0.02] * len(runs),
        "yaxis": "y2",
        "customdata": told,
        "hovertemplate": "%{customdata[0]}<br>%{x|%Y-%m-%d %H:%M}<extra></extra>",
        "marker": {"color": GREY, "symbol": "triangle-up", "size": 7},
    }


def _text(kind: Kind, line: Line, point: Point) -> str:
    value = point.values[line.field]
    return "—" if value is None else f"{value / line.unit:.{kind.digits}f}"


def _layout(kind: Kind, lines: Sequence[Line], series: Series) -> dict[str, Any]:
    return {
        "height": 220,
        "margin": {"l": 55, "r": 15, "t": 26 if len(lines) > 1 else 10, "b": 40},
        "hovermode": "closest",
        "showlegend": len(lines) > 1,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "xaxis": {"type": "date", "nticks": 6},
        "yaxis": {
            "title": {"text": kind.unit},
            "automargin": True,
            "nticks": 5,
            "zeroline": False,
            # a clock that never changes would fill an axis of its own with noise of nothing
            **({"rangemode": "tozero"} if kind.id != "temperature" else {}),
        },
        "yaxis2": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        "shapes": [_changed(at.isoformat()) for at in series.changed],
    }


def _changed(at: str) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": at,
        "x1": at,
        "y0": 0,
        "y1": 1,
        "line": {"color": ORANGE, "width": 1, "dash": "dash"},
    }
