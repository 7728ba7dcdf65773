"""Figures of layers as plain Plotly JSON: similarity of each step as lines, time as bars, one axis of layers.

A chart is `{"figure": {"data", "layout"}, "choices": [{"name", "show", "layout"}]}`: each choice names the traces
to show and what changes in the layout, so that the page switches metrics without asking the server again.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from dashboard.layers.rows import LayerRow

# Okabe and Ito's palette: told apart by all kinds of colour vision; each step has its own marker and dash as well
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#9aa5b1"
STEPS = (("quantization", BLUE, "circle", "solid"), ("board", ORANGE, "diamond", "dash"))
LABELS = {"quantization": "float → quantized", "board": "quantized → board"}
METRICS = (
    ("cosine", "cosine", ".6f", "linear"),
    ("sqnr_db", "SQNR (dB)", ".2f", "linear"),
    ("relative_l2", "relative L2", ".3e", "log"),
)
MOST_LABELS = 36
TIMES = "\N{MULTIPLICATION SIGN}"
HOVER = "<b>%{customdata[0]}</b><br>%{customdata[1]}<br>"


def labels_of(is_run_only: bool) -> Mapping[str, str]:
    """The names of the steps; of a ready file the board is held against the float network."""
    return {**LABELS, "board": "float → board"} if is_run_only else LABELS


def layers_chart(
    rows: Sequence[LayerRow], simulated: bool = False, labels: Mapping[str, str] = LABELS
) -> dict[str, Any]:
    """The chart of one leg or run: two steps, one metric at a time, time behind them, the first bad layer marked.

    `labels` names the steps; what a simulated board made says so in the legend.
    """
    traces = [_time(rows, simulated)] if any(row.time_us is not None for row in rows) else []
    choices = []
    for metric in METRICS:
        drawn = [
            _line(rows, step, metric, _label(step[0], labels, simulated))
            for step in STEPS
            if _has(rows, step[0])
        ]
        first = len(traces)
        traces += [{**trace, "visible": metric[0] == "cosine"} for trace in drawn]
        shown = list(range(first, len(traces)))
        choices.append({"name": metric[1], "show": shown, "layout": _metric_axis(rows, metric)})
    return {"figure": {"data": traces, "layout": _layout(rows)}, "choices": choices}


def _has(rows: Sequence[LayerRow], step: str) -> bool:
    return any(getattr(row, step) for row in rows)


def _label(step: str, labels: Mapping[str, str], simulated: bool) -> str:
    return f"{labels[step]} (simulated)" if simulated and step == "board" else labels[step]


def _time(rows: Sequence[LayerRow], simulated: bool) -> dict[str, Any]:
    """Bars of the times scaled to the plain run, as measured where nothing to scale to is known."""
    scaled = _is_scaled(rows)
    return {
        "type": "bar",
        "name": f"time{', simulated board' if simulated else ' on the board'}{', scaled' if scaled else ''}",
        "x": _places(rows),
        "y": [row.scaled_us if scaled else row.time_us for row in rows],
        "customdata": [[*_told(row), _timed(row)] for row in rows],
        "hovertemplate": HOVER + ("%{customdata[2]}" if scaled else "%{y:.1f} µs") + "<extra></extra>",
        "marker": {"color": GREY, "opacity": 0.45},
    }


def _line(
    rows: Sequence[LayerRow], step: tuple[str, str, str, str], metric: tuple[str, str, str, str], label: str
) -> dict[str, Any]:
    field, colour, marker, dash = step
    scores = [getattr(row, field) for row in rows]
    number = f"%{{y:{metric[2]}}}"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label,
        "x": _places(rows),
        "y": [getattr(score, metric[0]) if score else None for score in scores],
        "customdata": [_told(row) for row in rows],
        "hovertemplate": HOVER + f"{label}: {metric[1]} {number}<extra></extra>",
        "yaxis": "y2",
        "connectgaps": False,
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"color": colour, "size": 8, "symbol": marker},
    }


def _is_scaled(rows: Sequence[LayerRow]) -> bool:
    return any(row.scaled_us is not None for row in rows)


def _timed(row: LayerRow) -> str:
    """Both times of a layer in words; nothing for one that was not timed."""
    if row.time_us is None or row.scaled_us is None:
        return ""
    return f"{row.scaled_us:.1f} µs scaled to the plain run<br>{row.time_us:.1f} µs with timing on"


def _places(rows: Sequence[LayerRow]) -> list[int]:
    """Layers are told apart by their place: two may carry one name."""
    return [row.position for row in rows]


def _told(row: LayerRow) -> list[str]:
    shape = f" {TIMES} ".join(map(str, row.shape))
    return [plain(row.name), plain(f"{row.op} {shape}".strip())]


def plain(text: str) -> str:
    """A name from outside as text: Plotly reads a little HTML in labels."""
    return escape(text, quote=False)


def _metric_axis(rows: Sequence[LayerRow], metric: tuple[str, str, str, str]) -> dict[str, Any]:
    axis: dict[str, Any] = {"yaxis2.title.text": metric[1], "yaxis2.type": metric[3]}
    if metric[0] == "cosine" and (near := _range_near_one(rows)):
        return {**axis, "yaxis2.autorange": False, "yaxis2.range": near}
    return {**axis, "yaxis2.autorange": True}


def _range_near_one(rows: Sequence[LayerRow]) -> list[float] | None:
    """The cosine's axis when nothing is below 0.99: on an axis of a billionth a perfect board would seem to fall."""
    scores = [getattr(row, step[0]) for row in rows for step in STEPS]
    cosines = [score.cosine for score in scores if score and score.cosine is not None]
    return [0.9895, 1.0005] if cosines and min(cosines) >= 0.99 else None


def _layout(rows: Sequence[LayerRow]) -> dict[str, Any]:
    every = max(1, -(-len(rows) // MOST_LABELS))
    bad = next((row for row in rows if row.is_first_bad), None)
    return {
        "height": 420,
        "margin": {"l": 60, "r": 60, "t": 56, "b": 110},
        "hovermode": "closest",
        "barmode": "overlay",
        "legend": {"orientation": "h", "y": 1.09, "yanchor": "bottom", "x": 0},
        "xaxis": {
            "tickmode": "array",
            "tickvals": [row.position for row in rows[::every]],
            "ticktext": [_short(row.name) for row in rows[::every]],
            "tickangle": -40,
            "showgrid": False,
            "range": [-0.6, len(rows) - 0.4],
            "automargin": True,
        },
        "yaxis": {
            "title": {"text": "µs, scaled to the plain run" if _is_scaled(rows) else "µs"},
            "side": "right",
            "rangemode": "tozero",
            "showgrid": False,
        },
        "yaxis2": {
            "title": {"text": "cosine"},
            **({"range": near} if (near := _range_near_one(rows)) else {}),
            "side": "left",
            "overlaying": "y",
            "zeroline": False,
            "tickmode": "auto",
            "automargin": True,
        },
        "shapes": [_band(bad)] if bad else [],
        "annotations": [_flag(bad)] if bad else [],
    }


def _short(name: str) -> str:
    return plain(name if len(name) <= 22 else f"…{name[-21:]}")


def _band(row: LayerRow) -> dict[str, Any]:
    return {
        "type": "rect",
        "xref": "x",
        "yref": "paper",
        "x0": row.position - 0.45,
        "x1": row.position + 0.45,
        "y0": 0,
        "y1": 1,
        "fillcolor": ORANGE,
        "opacity": 0.16,
        "line": {"width": 0},
        "layer": "below",
    }


def _flag(row: LayerRow) -> dict[str, Any]:
    return {
        "x": row.position,
        "y": 1,
        "xref": "x",
        "yref": "paper",
        "text": "first bad layer",
        "showarrow": False,
        "yanchor": "bottom",
    }
