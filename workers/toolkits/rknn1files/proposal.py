"""What step 1 of hybrid quantization suggests, `customized_quantize_layers` of quantization.cfg, as a proposal."""

from pathlib import Path
from typing import Any

import yaml

from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.onnxjob.layers import printable
from workers.toolkits.rknn1job.configuration import LAYERS
from workers.toolkits.rknn1job.names import mangled
from workers.toolkits.rknn1job.words import LAYER_DTYPES

OURS = {theirs: ours for ours, theirs in LAYER_DTYPES.items()}


def read_proposal(path: Path) -> list[dict[str, Any]]:
    """`name` (as dumps have it), `dtype` in our words and `figure` of each layer; the toolkit gives no figure: null.

    Raises Refused toolkit:bad-result.
    """
    try:
        document = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        section = dict(_pairs(document))[LAYERS]
        return [
            {"name": printable(mangled(name)), "dtype": OURS[_text(dtype)], "figure": None}
            for name, dtype in _pairs(section)
        ]
    except (yaml.YAMLError, KeyError, ValueError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("toolkit:bad-result", f"{path.name}: {error!r:.500}") from error


def _pairs(node: Any) -> list[tuple[str, Any]]:
    """Keys and values of a map, as written: a layer that is called 134_2 is no number. Of nothing there are none."""
    if isinstance(node, yaml.MappingNode):
        return [(_text(key), value) for key, value in node.value]
    if isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~"):
        return []
    raise ValueError("it is no map")


def _text(node: Any) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError("a name or a data type is no text")
    return str(node.value)
