"""A quantized graph and how its tensors are quantized; apart from the quantizer, which not every interpreter has."""

from collections.abc import Mapping
from dataclasses import dataclass

import onnx


@dataclass(frozen=True)
class Quantization:
    """How one tensor is quantized: `tensor` is the uint8 tensor in the quantized graph; real = (q -
    zero_point) * scale."""

    tensor: str
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Quantized:
    """The quantized graph and, by the name in the source graph, the quantization of each tensor that has
    one."""

    model: onnx.ModelProto
    tensors: Mapping[str, Quantization]
