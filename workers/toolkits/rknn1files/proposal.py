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
NOTHING = ("", "null", "~")


def read_proposal(path: Path) -> list[dict[str, Any]]:
    """`name` (as dumps have it), `dtype` in our words and `figure` of each layer; the toolkit gives no figure: null.

    Every value is read as text: a layer that is called 134_2 is no number. Raises Refused toolkit:bad-result.
    """
    try:
        text = path.read_text(encoding="utf-8")
        section = yaml.load(text, Loader=yaml.BaseLoader)[LAYERS]  # noqa: S506  # nosec B506 - makes nothing but texts
        layers = {} if section in NOTHING else section
        return [
            {"name": printable(mangled(name)), "dtype": OURS[dtype], "figure": None}
            for name, dtype in layers.items()
        ]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise Refused("toolkit:bad-result", f"{path.name}: {error!r:.500}") from error
