"""Layers of a toolkit's own dumps, named like the source's where the toolkit did not keep the source's names.

RKNN-Toolkit2's front ends for other formats than ONNX number their tensors. The toolkit's float graph computes what the
source computes, so that its layers are found by their values; the quantized ones have the float ones' names.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from similarity.alignment import align
from similarity.dumpfile import DumpFile, LayerInfo, relabel_dump

SHARED = 0.5  # the part of the toolkit's layers that go by the source's names where the toolkit keeps names


def rename(dumps: Mapping[str, Path]) -> None:
    """Rewrite the `converted` and `quantized` dumps with the keys and sources of the `framework` one, if they share
    few keys with it."""
    with DumpFile.open(dumps["framework"]) as source, DumpFile.open(dumps["converted"]) as own:
        keys = {layer.key for layer in source.layers}
        if sum(layer.key in keys for layer in own.layers) >= SHARED * len(own.layers):
            return
        found = {pair.candidate.key: pair.reference for pair in align(source, own).pairs}
    for rung in ("converted", "quantized"):
        _rewrite(dumps[rung], found, keys)


def _rewrite(path: Path, found: Mapping[str, LayerInfo], taken: set[str]) -> None:
    with DumpFile.open(path) as dump:
        layers = dump.layers
    keys = {layer.key: _key(layer.key, found, taken) for layer in layers}
    relabel_dump(path, [_renamed(layer, keys, found) for layer in layers])


def _key(key: str, found: Mapping[str, LayerInfo], taken: set[str]) -> str:
    """The source's key; a layer that only the toolkit has keeps its own, told apart from the source's."""
    if key in found:
        return found[key].key
    return f"{key}#own" if key in taken else key


def _renamed(layer: LayerInfo, keys: Mapping[str, str], found: Mapping[str, LayerInfo]) -> LayerInfo:
    inputs = tuple(keys.get(name, name) for name in layer.inputs)
    sources = found[layer.key].sources if layer.key in found else layer.sources
    return replace(layer, key=keys[layer.key], inputs=inputs, sources=sources)
