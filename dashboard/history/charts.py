"""Figures of a model's history as plain Plotly JSON (see dashboard/layers/charts.py for the form of a chart)."""

from collections.abc import Callable, Sequence
from typing import Any

from dashboard.history.trends import Point, series
from dashboard.layers.charts import plain

# Okabe and Ito's palette; markers differ as well
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7f7f7f")
MARKERS = ("circle", "diamond", "square", "triangle-up", "x", "star", "pentagon")
STEPS = (("quantization", "float → quantized", "solid"), ("on_board", "quantized → board", "dash"))
METRICS = (
    ("output_cosine", "output cosine", ".6f"),
    ("worst_cosine", "lowest cosine of any layer", ".6f"),
    ("output_sqnr_db", "output SQNR (dB)", ".2f"),
)
EACH_VERSION = 20  # so many versions still have a label each


def similarity_chart(points: Sequence[Point]) -> dict[str, Any]:
    """Similarity over versions: a line per series and step, one metric at a time."""
    traces: list[dict[str, Any]] = []
    choices = []
    for name, label, digits in METRICS:
        first = len(traces)
        for step, told, dash in STEPS:
            traces += _lines(points, _reader(step, name), f"{label} %{{y:{digits}}}", told, dash)
        for trace in traces[first:]:
            trace["visible"] = name == METRICS[0][0]
        choices.append(
            {"name": label, "show": list(range(first, len(traces))), "layout": {"yaxis.title.text": label}}
        )
    return {"figure": {"data": traces, "layout": _layout("output cosine", points)}, "choices": choices}


def latency_chart(points: Sequence[Point]) -> dict[str, Any]:
    """The run's median time over versions, in milliseconds."""
    traces = _lines(points, lambda point: _ms(point.median_us), "median %{y:.3f} ms", "", "solid")
    layout = _layout("ms", points)
    layout["yaxis"]["rangemode"] = "tozero"
    return {"figure": {"data": traces, "layout": layout}, "choices": []}


def _ms(us: float | None) -> float | None:
    return us / 1000 if us is not None else None


def _reader(step: str, name: str) -> Callable[[Point], float | None]:
    return lambda point: point.number(step, name)


def _lines(
    points: Sequence[Point], read: Callable[[Point], float | None], number: str, told: str, dash: str
) -> list[dict[str, Any]]:
    lines = []
    for at, (name, rows) in enumerate(series(points).items()):
        known = [(point, value) for point in rows if (value := read(point)) is not None]
        if known:
            lines.append(_line(at, _label(name, told), known, number, dash))
    return lines


def _label(name: str, told: str) -> str:
    """A series' name in two lines, so that the legend has room on a phone: route and board, then step and recipe."""
    place, _, recipe = plain(name).rpartition(" · ")
    return f"{place}<br>{told} · {recipe}" if told else f"{place}<br>{recipe}"


def _line(at: int, name: str, known: list[tuple[Point, float]], number: str, dash: str) -> dict[str, Any]:
    colour = COLOURS[at % len(COLOURS)]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [point.version for point, _ in known],
        "y": [value for _, value in known],
        "customdata": [[f"v{point.version}, evaluation {point.evaluation_id}"] for point, _ in known],
        "hovertemplate": f"<b>%{{customdata[0]}}</b><br>{name}<br>{number}<extra></extra>",
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {"color": colour, "symbol": MARKERS[at % len(MARKERS)], "size": 8},
    }


def _layout(title: str, points: Sequence[Point]) -> dict[str, Any]:
    versions = {point.version for point in points}
    few = len(versions) <= EACH_VERSION
    ends = [min(versions, default=0) - 0.5, max(versions, default=0) + 0.5]
    return {
        "height": min(640, 340 + 30 * len(series(points))),  # the legend takes its part of it
        "margin": {"l": 70, "r": 20, "t": 60, "b": 50},
        "hovermode": "closest",
        "showlegend": True,
        "legend": {"orientation": "h", "y": 1.03, "yanchor": "bottom", "x": 0},
        "xaxis": {
            "title": {"text": "version"},
            "tickformat": "d",
            "range": ends,
            **({"dtick": 1} if few else {}),
        },
        "yaxis": {"title": {"text": title}, "automargin": True},
    }
