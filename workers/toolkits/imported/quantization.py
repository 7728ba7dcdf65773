"""How tensors are quantized, as the vendor's files say it.

`<model>.quantization.cfg` of hybrid quantization, of toolkit2 and of 1.x ("@<layer>:outN", [UG 4.5.2]), and the
`<model>_quant_param.yml` of 1.7.5's export_rknn_quant_params [UG 7.17]. All are YAML; every value is read as text.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

SECTIONS = ("quantize_parameters", "quant_params")
MOST_CHARACTERS = 16_000_000
ENDS = {
    "int4": (-8.0, 7.0), "int8": (-128.0, 127.0), "i8": (-128.0, 127.0), "uint8": (0.0, 255.0), "u8": (0.0, 255.0),
    "int16": (-32768.0, 32767.0), "i16": (-32768.0, 32767.0),
}  # fmt: skip


@dataclass(frozen=True)
class TensorScale:
    """One tensor's entry. `scale` and `zero_point` are None for a float tensor and for one with a scale per channel."""

    name: str
    dtype: str
    method: str
    channels: int
    scale: float | None
    zero_point: int | None
    low: float | None
    high: float | None

    @property
    def ends(self) -> tuple[float, float] | None:
        """The ends of the quantized range in steps."""
        return ENDS.get(self.dtype)


class NoParameters(ValueError):
    """The text says nothing about quantization."""


def read_quantization(text: str) -> list[TensorScale]:
    """The entries in the file's order. Raises NoParameters."""
    if len(text) > MOST_CHARACTERS or not any(f"{section}:" in text for section in SECTIONS):
        raise NoParameters("there are no quantize_parameters")
    try:
        found = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  # nosec B506 - makes nothing but texts
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise NoParameters(f"it is no YAML: {error}") from error
    sections = [found.get(name) for name in SECTIONS] if isinstance(found, dict) else []
    entries = next((section for section in sections if isinstance(section, dict)), {})
    read = [_entry(str(name), entry) for name, entry in entries.items() if isinstance(entry, dict)]
    if not read:
        raise NoParameters("there are no quantize_parameters")
    return read


def _entry(name: str, entry: Mapping[str, Any]) -> TensorScale:
    dtype = str(entry.get("dtype", ""))
    # 1.x keeps the number's type in qtype and the method in dtype [UG 4.5.2]; toolkit2 and quant_params do not
    if dtype not in ENDS and str(entry.get("qtype", "")) in ENDS:
        dtype, method = str(entry["qtype"]), dtype
    else:
        method = str(entry.get("qtype", ""))
    scales, zeros = _numbers(entry.get("scale")), _numbers(entry.get("zero_point"))
    if not scales and (length := _numbers(entry.get("fl"))) and abs(length[0]) <= 64:
        scales = [2.0 ** -length[0]]
    one = scales[0] if len(scales) == 1 and 1e-37 < scales[0] < 1e37 else None
    lows, highs = (_numbers(entry.get(end, entry.get(f"{end}_value"))) for end in ("min", "max"))
    return TensorScale(
        name=name.removeprefix("@"),
        dtype=dtype,
        method=method,
        channels=len(scales),
        scale=one,
        zero_point=None if one is None else int(zeros[0]) if zeros and abs(zeros[0]) < 2**31 else 0,
        low=min(lows, default=None),
        high=max(highs, default=None),
    )


def _numbers(value: Any) -> list[float]:
    found = []
    for word in value if isinstance(value, list) else [value]:
        try:
            number = float(word) if isinstance(word, str) else math.nan
        except ValueError:
            continue
        if math.isfinite(number):
            found.append(number)
    return found


def scale_fields(scale: TensorScale | None) -> dict[str, Any]:
    """What a layer of a quantized dump says of its grid; nothing where the grid is not known."""
    if scale is None or scale.scale is None or scale.ends is None:
        return {}
    low, high = scale.ends
    return {"scale": scale.scale, "zero_point": scale.zero_point, "qmin": low, "qmax": high}
