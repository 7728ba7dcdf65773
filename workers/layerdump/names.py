"""Which layer of the reference a layer of the board is, by name: the runtime adds ids and replaces characters.

A node "/model.0/conv/Conv" of the source is called "Conv__model.0_conv_Conv_142" or "Conv_/model.0/conv/Conv_142_2" by
the 1.7 toolkit: an operator before it, "/" as "_", ids behind it that shift from build to build. A fused layer is
called after the last layer that it contains.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from similarity.dumpfile import LayerInfo

TRAILING_ID = re.compile(r"(?<=[^_])_\d+$")
OPERATOR = re.compile(r"^[A-Za-z0-9]+_+")
MOST_IDS = 3


def match(names: Sequence[str], layers: Sequence[LayerInfo]) -> list[LayerInfo | None]:
    """The reference's layer of each name, None where there is none.

    Of several operations of one layer the last one has it: that makes the layer's result.
    """
    index = _index(layers)
    found = [next((index[form] for form in _forms(name) if form in index), None) for name in names]
    last = {layer.key: place for place, layer in enumerate(found) if layer is not None}
    return [
        layer if layer is not None and last[layer.key] == place else None for place, layer in enumerate(found)
    ]


def keys_of(names: Sequence[str], layers: Sequence[LayerInfo] = ()) -> list[str]:
    """A key for each name, none twice: the reference's where one matches, else the name without its trailing id.

    Where names become the same without their ids the ids stay; what is still the same gets "#1", "#2"...
    """
    matched = match(names, layers)
    taken = {layer.key for layer in matched if layer is not None}
    short = Counter(TRAILING_ID.sub("", name) for name in set(names))
    keys, last = [], {name: place for place, name in enumerate(names)}
    numbers: Counter[str] = Counter()
    for place, (name, layer) in enumerate(zip(names, matched, strict=True)):
        stem = TRAILING_ID.sub("", name)
        wanted = stem if short[stem] == 1 else name
        is_last = last[name] == place
        key = layer.key if layer is not None else _free(wanted, taken, numbers, with_number=not is_last)
        taken.add(key)
        keys.append(key)
    return keys


def _free(key: str, taken: set[str], numbers: Counter[str], *, with_number: bool) -> str:
    """`numbers` are the last ones given: a board may call ten thousand layers the same."""
    name = key
    while with_number or name in taken:
        numbers[key] += 1
        name, with_number = f"{key}#{numbers[key]}", False
    return name


def _index(layers: Sequence[LayerInfo]) -> dict[str, LayerInfo]:
    """Every form of a name that means one layer only; what comes first says more: key, name, last source, sources."""
    index: dict[str, LayerInfo] = {}
    for names_of in (_key, _name, _last_source, _sources):
        shared: dict[str, set[str]] = {}
        for layer in layers:
            for name in names_of(layer):
                shared.setdefault(_mangled(name), set()).add(layer.key)
        for layer in layers:
            for form in map(_mangled, names_of(layer)):
                if len(shared[form]) == 1:
                    index.setdefault(form, layer)
    return index


def _key(layer: LayerInfo) -> Iterable[str]:
    return (layer.key,)


def _name(layer: LayerInfo) -> Iterable[str]:
    return (layer.name,)


def _last_source(layer: LayerInfo) -> Iterable[str]:
    return layer.sources[-1:]


def _sources(layer: LayerInfo) -> Iterable[str]:
    return layer.sources


def _forms(name: str) -> Iterator[str]:
    """The name with ever fewer ids behind it, each also without the operator before it."""
    for _ in range(MOST_IDS + 1):
        yield _mangled(name)
        bare = OPERATOR.sub("", name)
        if bare and not bare.replace("_", "").isdigit():  # a bare number could be any tensor's name
            yield _mangled(bare)
        shorter = TRAILING_ID.sub("", name)
        if shorter == name:
            return
        name = shorter


def _mangled(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", name).strip("_").lower()
