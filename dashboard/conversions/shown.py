"""The histograms of an artifact as its page shows them: by layer, those that were looked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from dashboard.conversions.histograms import Shows
from dashboard.conversions.models import Artifact, Histogram

WORD_CHARACTERS = 300


@dataclass(frozen=True)
class LayerHistograms:
    """A layer with its pictures; `key` is empty when no layer of the dumps has this name."""

    key: str
    name: str
    histograms: Sequence[Histogram]


@dataclass(frozen=True)
class Sought:
    """What is looked for: a part of a layer's name ("": any), and one kind of picture ("": all)."""

    layer: str = ""
    shows: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Sought":
        """From an address; what makes no sense there is left out."""
        shows = query.get("shows", "")
        return cls(query.get("layer", "").strip()[:WORD_CHARACTERS], shows if shows in Shows.values else "")

    def finds(self, one: Histogram) -> bool:
        names = f"{one.layer_name}\n{one.layer_key}".lower()
        return self.layer.lower() in names and self.shows in {"", one.shows}


def by_layer(artifact: Artifact, sought: Sought) -> list[LayerHistograms]:
    """The layers in execution order with those of their histograms that are looked for; one query."""
    found = [one for one in artifact.histograms.all() if sought.finds(one)]
    return [
        LayerHistograms(key, name, list(rows))
        for (key, name), rows in groupby(found, key=lambda one: (one.layer_key, one.layer_name))
    ]
