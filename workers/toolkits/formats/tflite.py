"""TensorFlow Lite (.tflite): a flatbuffer; the main graph's ends and operators are read [tflite schema.fbs]."""

import struct
from collections import Counter

from workers.toolkits.formats.facts import Facts
from workers.toolkits.formats.parts import Part
from workers.toolkits.onnxjob.jobside import Refused

MODEL_BYTES = (1 << 31) - 1
MOST = 1_000_000
TYPES = (
    "float32",
    "float16",
    "int32",
    "uint8",
    "int64",
    "string",
    "bool",
    "int16",
    "complex64",
    "int8",
    "float64",
)
# fields by their place in the schema: Model, SubGraph, Tensor, Operator, OperatorCode
CODES, SUBGRAPHS, DESCRIPTION = 1, 2, 3
TENSORS, INPUTS, OUTPUTS, OPERATORS = 0, 1, 2, 3
SHAPE, TYPE, TENSOR_NAME, SIGNATURE = 0, 1, 3, 7
OLD_CODE, CUSTOM, CODE = 0, 1, 3
OPCODE = 0


class Table:
    """A table of the flatbuffer at `place`; a field that was left out is None."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data, self.place = data, place
        self.fields = place - struct.unpack_from("<i", data, place)[0]
        self.length = struct.unpack_from("<H", data, self.fields)[0]

    def _at(self, field: int) -> int | None:
        slot = 4 + 2 * field
        offset = struct.unpack_from("<H", self.data, self.fields + slot)[0] if slot < self.length else 0
        return self.place + offset if offset else None

    def number(self, field: int, kind: str) -> int:
        """The number of struct type `kind`, 0 when it was left out."""
        place = self._at(field)
        return struct.unpack_from(kind, self.data, place)[0] if place is not None else 0

    def numbers(self, field: int) -> list[int] | None:
        """A vector of int32."""
        start, count = self._vector(field)
        return None if start is None else list(struct.unpack_from(f"<{count}i", self.data, start))

    def tables(self, field: int) -> list["Table"]:
        """A vector of tables."""
        start, count = self._vector(field)
        places = range(start, start + 4 * count, 4) if start is not None else ()
        return [Table(self.data, place + struct.unpack_from("<I", self.data, place)[0]) for place in places]

    def text(self, field: int) -> str:
        start, count = self._vector(field)
        return self.data[start : start + count].decode("utf-8", errors="replace") if start is not None else ""

    def _vector(self, field: int) -> tuple[int | None, int]:
        place = self._at(field)
        if place is None:
            return None, 0
        start = place + struct.unpack_from("<I", self.data, place)[0]
        count = struct.unpack_from("<I", self.data, start)[0]
        if count > min(MOST, len(self.data)):
            raise ValueError(f"a vector of {count} entries")
        return start + 4, count


def facts(model: Part) -> Facts:
    """Ends and operators of the first subgraph. Raises Refused model:invalid."""
    data = model.read(MODEL_BYTES)
    try:
        root = Table(data, struct.unpack_from("<I", data)[0])
        graph = root.tables(SUBGRAPHS)[0]
        tensors, codes = graph.tables(TENSORS), [_code(code) for code in root.tables(CODES)]
        return Facts(
            inputs=[_described(tensors[index]) for index in graph.numbers(INPUTS) or []],
            outputs=[_described(tensors[index]) for index in graph.numbers(OUTPUTS) or []],
            operators=Counter(codes[node.number(OPCODE, "<I")] for node in graph.tables(OPERATORS)),
            producer=f"TensorFlow Lite {root.text(DESCRIPTION)[:100]}".strip(),
        )
    except (struct.error, IndexError, ValueError) as error:
        raise Refused("model:invalid", f"The TensorFlow Lite file is damaged: {error}") from error


def _described(tensor: Table) -> tuple[str, list[int | None] | None, str]:
    shape = tensor.numbers(SIGNATURE) or tensor.numbers(SHAPE)
    kind = tensor.number(TYPE, "<b")
    dtype = TYPES[kind] if 0 <= kind < len(TYPES) else "other"
    return tensor.text(TENSOR_NAME), None if shape is None else list(shape), dtype


def _code(code: Table) -> str:
    """The operator's name for custom ones, else its number in the schema: the names are the framework's own list."""
    number = max(code.number(CODE, "<i"), code.number(OLD_CODE, "<b"))
    return code.text(CUSTOM) or BUILTIN.get(number, f"builtin {number}")


# the ones that networks for NPUs are made of
BUILTIN = {
    0: "ADD", 1: "AVERAGE_POOL_2D", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 5: "DEPTH_TO_SPACE",
    6: "DEQUANTIZE", 9: "FULLY_CONNECTED", 11: "L2_NORMALIZATION", 14: "LOGISTIC", 16: "LSTM", 17: "MAX_POOL_2D",
    18: "MUL", 19: "RELU", 21: "RELU6", 22: "RESHAPE", 23: "RESIZE_BILINEAR", 25: "SOFTMAX", 26: "SPACE_TO_DEPTH",
    28: "TANH", 34: "PAD", 36: "GATHER", 39: "TRANSPOSE", 40: "MEAN", 41: "SUB", 42: "DIV", 43: "SQUEEZE",
    45: "STRIDED_SLICE", 47: "EXP", 49: "SPLIT", 53: "CAST", 54: "PRELU", 55: "MAXIMUM", 57: "MINIMUM", 65: "SLICE",
    67: "TRANSPOSE_CONV", 70: "EXPAND_DIMS", 74: "SUM", 76: "RSQRT", 77: "SHAPE", 83: "PACK",
    97: "RESIZE_NEAREST_NEIGHBOR",
    98: "LEAKY_RELU", 99: "SQUARED_DIFFERENCE", 114: "QUANTIZE", 117: "HARD_SWISH", 126: "BATCH_MATMUL", 150: "GELU",
}  # fmt: skip
