"""Which layers a toolkit proposes to give more bits, as it told with a conversion whose recipe asked for it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST = 20_000


@dataclass(frozen=True)
class ProposedLayer:
    """A layer as the quantized graph calls it, the data type proposed, and the figure that the toolkit gave with it."""

    name: str
    dtype: str
    figure: float | None = None


def read_proposal(entries: Any) -> tuple[ProposedLayer, ...]:
    """The `proposal` of build facts, checked. Raises ValueError for anything odd."""
    if not isinstance(entries, list) or len(entries) > MOST:
        raise ValueError(f"A proposal is a list of at most {MOST} layers.")
    return tuple(_layer(entry) for entry in entries)


def _layer(entry: Any) -> ProposedLayer:
    if not isinstance(entry, Mapping):
        raise ValueError("A proposed layer is an object.")
    name, dtype, figure = (entry.get(key) for key in ("name", "dtype", "figure"))
    for text, most in ((name, 300), (dtype, 20)):
        if not isinstance(text, str) or not 0 < len(text) <= most or not text.isprintable():
            raise ValueError(f"A proposal holds {text!r:.60}.")
    if figure is not None and not (isinstance(figure, int | float) and math.isfinite(figure)):
        raise ValueError(f"A proposal holds the figure {figure!r:.60}.")
    return ProposedLayer(str(name), str(dtype), figure)
