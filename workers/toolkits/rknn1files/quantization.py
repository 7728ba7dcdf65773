"""<model>_quant_param.yml, which export_rknn_quant_params writes: how each tensor is quantized [UG 4.6, 7.17]."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.rknn1job.names import mangled, without_number
from workers.toolkits.rknn2job.snapshot import Scale

ENDS = {"u8": (0.0, 255.0), "i8": (-128.0, 127.0), "i16": (-32768.0, 32767.0)}


def read_parameters(folder: Path) -> dict[str, dict[str, Any]]:
    """The entry of each tensor as the toolkit wrote it; nothing when no such file was written.

    Raises Refused toolkit:bad-result.
    """
    found = sorted(folder.glob("*_quant_param.yml"))
    if not found:
        return {}
    try:
        parameters = yaml.safe_load(found[0].read_text(encoding="utf-8"))["quant_params"]
        return {str(name).lstrip("@"): dict(entry) for name, entry in parameters.items()}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise Refused("toolkit:bad-result", f"{found[0].name}: {error}") from error


def scale_of(entry: Mapping[str, Any]) -> Scale | None:
    """The scale of a quantized tensor; None of a float one.

    asymmetric_affine is real = (q - zero_point) * scale, dynamic_fixed_point real = q / 2^fl [API 3.2.3.2].
    """
    ends = ENDS.get(str(entry.get("dtype")))
    try:
        if ends and entry.get("qtype") == "asymmetric_affine" and float(entry["scale"]) > 0:
            return Scale(float(entry["scale"]), int(entry["zero_point"]), *ends)
        if ends and entry.get("qtype") == "dynamic_fixed_point":
            return Scale(2.0 ** -int(entry["fl"]), 0, *ends)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Refused("toolkit:bad-result", f"quantization of a tensor is damaged: {error!r}") from error
    return None


class Scales:
    """The scales by the names that dumps have: `<layer>_<id>:out<port>`, characters of files only."""

    def __init__(self, parameters: Mapping[str, Mapping[str, Any]]) -> None:
        self._exact = {mangled(name): scale_of(entry) for name, entry in parameters.items()}
        self._loose: dict[str, list[Scale | None]] = {}
        for name, scale in self._exact.items():
            self._loose.setdefault(_without_id(name), []).append(scale)

    def find(self, layer: str, port: int) -> Scale | None:
        """The scale of output `port` of `layer` (with its id). The id may differ between a dump and the artifact, so
        a name that is the only one without its id will do."""
        name = f"{layer}:out{port}"
        if name in self._exact:
            return self._exact[name]
        loose = self._loose.get(_without_id(name), [])
        return loose[0] if len(loose) == 1 else None


def _without_id(name: str) -> str:
    layer, _, port = name.rpartition(":")
    return f"{without_number(layer)}:{port}"


def table_of(parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """The calibration table of the contract: scale, zero point and the range that they span, of each tensor."""
    scales = {name: scale_of(entry) for name, entry in parameters.items()}
    return {
        name: {
            "min": (how.qmin - how.zero_point) * how.scale,
            "max": (how.qmax - how.zero_point) * how.scale,
            "scale": how.scale,
            "zero_point": how.zero_point,
        }
        for name, how in scales.items()
        if how
    }
