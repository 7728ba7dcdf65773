"""Keras (.h5): HDF5, in which the model's configuration stands as JSON; a file of weights has none."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from workers.toolkits.formats.facts import Facts
from workers.toolkits.formats.parts import Part
from workers.toolkits.onnxjob.jobside import Refused

FILE_BYTES = (1 << 31) - 1
CONFIG_BYTES = 16 << 20
CONFIG = re.compile(rb'\{\s*"class_name"\s*:\s*"(?:Sequential|Functional|Model)"')


def facts(model: Part) -> Facts:
    """The model's configuration, which .h5 files hold as JSON; without it the file holds weights only."""
    data = model.read(FILE_BYTES)
    if b"model_config" not in data:
        raise Refused(
            "model:weights-only",
            "This .h5 file holds weights without a model; save it with model.save('m.h5').",
        )
    start = CONFIG.search(data)
    layers = list(_layers(data[start.start() : start.start() + CONFIG_BYTES])) if start else []
    inputs = [layer for layer in layers if layer.get("class_name") == "InputLayer"]
    return Facts(
        inputs=[_input(layer.get("config") or {}) for layer in inputs],
        operators=Counter(str(layer.get("class_name")) for layer in layers if layer not in inputs),
        producer="Keras",
    )


def _layers(data: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        found, _ = json.JSONDecoder().raw_decode(data.decode("latin-1"))
        layers = found["config"]["layers"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return
    yield from (layer for layer in layers if isinstance(layer, dict))


def _input(config: Mapping[str, Any]) -> tuple[str, list[int | None] | None, str]:
    shape = config.get("batch_input_shape") or config.get("batch_shape")
    sizes = [size if isinstance(size, int) else None for size in shape] if isinstance(shape, list) else None
    return str(config.get("name", "")), sizes, str(config.get("dtype", "float32"))[:20]
