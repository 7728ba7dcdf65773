"""Layers with a data type of their own, between both steps of hybrid quantization; and the toolkit's proposal of them.

They stand at the head of quantization.cfg, `custom_quantize_layers`: a map of tensor names to int8, int16 or float16.
Behind those that the toolkit proposes it writes a figure as a comment; as far as seen (2.5.0), the cosine of the
network's output once this tensor and all above it have the proposed type. Tensors of one fused operation share one.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.onnxjob.layers import printable

HEAD, BODY = "custom_quantize_layers:", "quantize_parameters:"
FIGURE = re.compile(r"#\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*$")
NAMES_SHOWN = 20


def read_proposal(path: Path) -> list[dict[str, Any]]:
    """What step 1 proposes: `name`, `dtype` and the toolkit's `figure` (null where it wrote none) of each layer.

    Raises Refused toolkit:bad-result.
    """
    from ruamel.yaml import YAML  # the toolkit's own reader: it is there wherever the toolkit is
    from ruamel.yaml.error import YAMLError

    head = path.read_text(encoding="utf-8").partition(f"\n{BODY}")[0]
    try:
        proposed = dict(YAML(typ="safe", pure=True).load(head)[HEAD.rstrip(":")])
    except (YAMLError, KeyError, TypeError, ValueError) as error:
        raise Refused("toolkit:bad-result", f"{path.name}: {error}") from error
    lines = [line for line in head.splitlines()[1:] if line.strip()]
    figures = map(_figure, lines) if len(lines) == len(proposed) else [None] * len(proposed)
    return [
        {"name": printable(str(name)), "dtype": str(dtype), "figure": figure}
        for (name, dtype), figure in zip(proposed.items(), figures, strict=True)
    ]


def _figure(line: str) -> float | None:
    found = FIGURE.search(line)
    return float(found[1]) if found else None


def write_layers(path: Path, layers: Mapping[str, str]) -> None:
    """Put `layers`, and nothing of the proposal, at the head of quantization.cfg."""
    _, found, body = path.read_text(encoding="utf-8").partition(f"\n{BODY}")
    if not found:
        raise Refused("toolkit:bad-result", f"{path.name} has no {BODY}")
    head = (
        f"{HEAD} {json.dumps(dict(layers), ensure_ascii=False)}"  # what is printable is JSON and YAML alike
    )
    path.write_text(f"{head}{found}{body}", encoding="utf-8")


def tensors_of(layers: Mapping[str, str], parameters: Mapping[str, Any]) -> dict[str, str]:
    """`layers` by the names that the toolkit has for their tensors. Raises Refused recipe:unknown-layer."""
    known = {printable(name): name for name in parameters}
    unknown = [name for name in layers if name not in known]
    if unknown:
        raise Refused("recipe:unknown-layer", ", ".join(map(repr, unknown[:NAMES_SHOWN])))
    return {known[name]: dtype for name, dtype in layers.items()}


def without_scales(
    parameters: Mapping[str, dict[str, Any]], layers: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """The parameters as they hold after step 2: step 1 knew no scale for the other data types."""
    changed = {name: {**parameters[name], "dtype": dtype, "scale": []} for name, dtype in layers.items()}
    return {**parameters, **changed}
