"""quantization.cfg, which hybrid_quantization_step1 writes: how each tensor is quantized."""

from pathlib import Path
from typing import Any

from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.rknn2job.snapshot import Scale

ENDS = {"int4": (-8.0, 7.0), "int8": (-128.0, 127.0), "uint8": (0.0, 255.0), "int16": (-32768.0, 32767.0)}


def read_parameters(path: Path) -> dict[str, dict[str, Any]]:
    """The entry of each tensor as the toolkit wrote it. Raises Refused toolkit:bad-result."""
    from ruamel.yaml import YAML  # the toolkit's own reader: it is there wherever the toolkit is
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        parameters = found["quantize_parameters"]
        return {str(name): dict(entry) for name, entry in parameters.items()}
    except (YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise Refused("toolkit:bad-result", f"{path.name}: {error}") from error


def scales_of(parameters: dict[str, dict[str, Any]]) -> dict[str, Scale]:
    """The tensors that have one scale; those with one per channel (weights) or none (float) are left out."""
    found = {}
    for name, entry in parameters.items():
        scale, zero, ends = (
            entry.get("scale") or [],
            entry.get("zero_point") or [],
            ENDS.get(str(entry.get("dtype"))),
        )
        if ends and len(scale) == 1 and float(scale[0]) > 0:
            found[name] = Scale(float(scale[0]), int(zero[0]) if zero else 0, *ends)
    return found


def table_of(parameters: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """The calibration table of the contract: range, scale and zero point of each tensor with one scale."""
    table = {}
    for name, how in scales_of(parameters).items():
        low, high = (parameters[name].get(end) or [0.0] for end in ("min", "max"))
        table[name] = {
            "min": float(low[0]),
            "max": float(high[0]),
            "scale": how.scale,
            "zero_point": how.zero_point,
        }
    return table
