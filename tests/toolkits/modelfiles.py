"""Small model files of every format, written byte by byte as the formats' own descriptions say."""

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Mapping

import flatbuffers
import numpy as np
from numpy.typing import NDArray

CFG = b"""[net]
batch=1
width=16
height=16
channels=3

[convolutional]
filters=8
size=3
stride=1
pad=1
activation=leaky
"""
WEIGHTS = (
    struct.pack("<iiiq", 0, 2, 5, 0)
    + np.random.default_rng(1).normal(0, 0.3, 8 + 216).astype("<f4").tobytes()
)
PROTOTXT = b"""name: "net"  # a comment { with brackets
layer { name: "data" type: "Input" top: "data" input_param { shape: { dim: 1 dim: 3 dim: 16 dim: 16 } } }
layer {
  name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 }
}
layer { name: "r" type: "ReLU" bottom: "c" top: "r" }
"""
SYMBOL = json.dumps(
    {
        "nodes": [
            {"op": "null", "name": "data", "inputs": []},
            {"op": "null", "name": "w", "inputs": []},
            {"op": "Convolution", "name": "c", "inputs": [[0, 0, 0], [1, 0, 0]]},
        ],
        "arg_nodes": [0, 1],
        "heads": [[2, 0, 0]],
    }
).encode()
PARAMS = struct.pack("<QQQ", 0x112, 0, 1) + bytes(100) + struct.pack("<QQ", 1, 5) + b"arg:w"
CODE = b"""class Net(Module):
  training : bool
  conv : __torch__.torch.nn.modules.conv.Conv2d
  def forward(self: __torch__.net.Net,
    image: Tensor,
    mask: Tensor) -> Tensor:
    return torch.pixel_shuffle(torch.mul(image, mask), 4)
"""


def zipped(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def torchscript(**more: bytes) -> bytes:
    """A TorchScript archive as torch.jit.save lays it out: the class's name first in data.pkl."""
    files = {
        "net/data.pkl": b"\x80\x02c__torch__.net\nNet\nq\x00)\x81.",
        "net/code/__torch__/net.py": CODE,
        "net/constants.pkl": b"\x80\x02).",
        "net/version": b"3\n",
    }
    return zipped(files | {f"net/{name}": content for name, content in more.items()})


class Touched:
    """A pickle that leaves a trace when anybody loads it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.path, "w")


def trap(path: str) -> bytes:
    return pickle.dumps(Touched(path), protocol=2)


def tflite(height: int = 120, width: int = 90) -> bytes:
    """One CONV_2D with eight filters of 3 x 3 over a [1, height, width, 3] float tensor."""
    rng = np.random.default_rng(1)
    weights = [rng.normal(0, 0.3, shape).astype("<f4") for shape in ((8, 3, 3, 3), (8,))]
    b = flatbuffers.Builder(4096)
    buffers = [_table(b, {}), *(_table(b, {0: _bytes(b, array)}) for array in weights)]
    shapes = {"image": (1, height, width, 3), "w": (8, 3, 3, 3), "b": (8,), "out": (1, height, width, 8)}
    tensors = [
        _table(b, {0: _numbers(b, shape), 3: b.CreateString(name)}, {2: max("iwb".find(name[0]), 0)})
        for name, shape in shapes.items()
    ]
    ends = _numbers(b, [0]), _numbers(b, [3])
    b.StartObject(4)  # Conv2DOptions: padding SAME by default, strides of one
    b.PrependInt32Slot(1, 1, 0)
    b.PrependInt32Slot(2, 1, 0)
    options = b.EndObject()
    taken = _numbers(b, [0, 1, 2])
    b.StartObject(5)
    b.PrependUOffsetTRelativeSlot(1, taken, 0)
    b.PrependUOffsetTRelativeSlot(2, ends[1], 0)
    b.PrependUint8Slot(3, 1, 0)
    b.PrependUOffsetTRelativeSlot(4, options, 0)
    operators = _tables(b, [b.EndObject()])
    graph = _table(b, dict(enumerate((_tables(b, tensors), *ends, operators))))
    b.StartObject(4)
    b.PrependInt8Slot(0, 3, 0)
    b.PrependInt32Slot(2, 1, 0)
    b.PrependInt32Slot(3, 3, 0)
    parts = _tables(b, [b.EndObject()]), _tables(b, [graph]), b.CreateString("made by hand")
    model = _table(b, {1: parts[0], 2: parts[1], 3: parts[2], 4: _tables(b, buffers)}, {0: 3})
    b.Finish(model, file_identifier=b"TFL3")
    return bytes(b.Output())


def _table(
    b: flatbuffers.Builder, offsets: Mapping[int, int], numbers: Mapping[int, int] | None = None
) -> int:
    """A table with these fields; fields that are left out have their defaults."""
    b.StartObject(8)
    for slot, offset in offsets.items():
        b.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, number in (numbers or {}).items():
        b.PrependUint32Slot(slot, number, 0)
    return int(b.EndObject())


def _bytes(b: flatbuffers.Builder, array: NDArray[np.float32]) -> int:
    data = array.tobytes()
    b.StartVector(1, len(data), 16)
    b.head -= len(data)
    b.Bytes[b.head : b.head + len(data)] = data
    return int(b.EndVector())


def _numbers(b: flatbuffers.Builder, numbers: list[int]) -> int:
    b.StartVector(4, len(numbers), 4)
    for number in reversed(numbers):
        b.PrependInt32(number)
    return int(b.EndVector())


def _tables(b: flatbuffers.Builder, tables: list[int]) -> int:
    b.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        b.PrependUOffsetTRelative(table)
    return int(b.EndVector())


def _field(number: int, content: bytes) -> bytes:
    """A field of a protobuf message that holds bytes."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    head = b""
    while number > 127:
        head += bytes([number & 127 | 128])
        number >>= 7
    return head + bytes([number])


def caffemodel() -> bytes:
    """The weights of the layer c of PROTOTXT."""
    rng = np.random.default_rng(1)
    blobs = b"".join(_field(7, _blob(rng.normal(0, 0.3, shape))) for shape in ((8, 3, 3, 3), (8,)))
    layer = _field(1, b"c") + _field(2, b"Convolution") + _field(3, b"data") + _field(4, b"c") + blobs
    return _field(1, b"net") + _field(100, layer)


def _blob(values: NDArray[np.float64]) -> bytes:
    shape = _field(1, b"".join(_varint(size) for size in values.shape))
    return _field(7, shape) + _field(5, values.astype("<f4").tobytes())


def graph_def() -> bytes:
    """A frozen graph: a placeholder of [-1, 120, 90, 3], and its ReLU."""
    sizes = b"".join(_field(2, b"\x08" + size) for size in (b"\xff" * 9 + b"\x01", b"\x78", b"\x5a", b"\x03"))
    shape = _field(5, _field(1, b"shape") + _field(2, _field(7, sizes)))
    kind = _field(5, _field(1, b"dtype") + _field(2, b"\x30\x01"))
    image = _field(1, _field(1, b"image") + _field(2, b"Placeholder") + shape + kind)
    return image + _field(1, _field(1, b"out") + _field(2, b"Relu") + _field(3, b"image"))


KERAS = b"\x89HDF\r\n\x1a\n" + bytes(50) + b"model_config" + bytes(20) + json.dumps(
    {
        "class_name": "Functional",
        "config": {
            "layers": [
                {
                    "class_name": "InputLayer",
                    "config": {"name": "image", "batch_input_shape": [None, 120, 90, 3], "dtype": "float32"},
                },
                {"class_name": "Conv2D", "config": {"name": "c"}},
            ]
        },
    }
).encode()  # fmt: skip


IMAGE = {"tensor_id": 0, "url": "image", "size": [1, 3, 120, 90], "dtype": {"vx_type": "int8"}}


def rknn(compiled: bytes = bytes(32), container: int = 6, **told: object) -> bytes:
    """A .rknn file's outline: a compiled graph, empty unless given, and behind it the JSON, changed by `told`."""
    usual = {
        "version": "2.5.0",
        "target_platform": ["rv1126b"],
        "norm_tensor": [IMAGE],
        "graph": [{"left": "input", "right_tensor_id": 0}],
    }
    return contained(compiled, json.dumps({**usual, **told}).encode(), container)


def contained(graph: bytes, told: bytes, container: int = 6) -> bytes:
    """Any bytes as graph and description in the container of .rknn files; one without a graph has a shorter header."""
    head = b"RKNN" + bytes(4) + struct.pack("<QQ", container, len(graph))
    return (head.ljust(0x40, b"\0") if graph else head) + graph + struct.pack("<Q", len(told)) + told


def standin_rknn(*lines: str, **told: object) -> bytes:
    """A file that the stand-in of the 1.7 runtime runs, described as files of 1.x are: sizes the other way round."""
    tensors = [
        {"tensor_id": 0, "url": "image_61", "size": [5, 6, 3, 1], "dtype": {"vx_type": "VSI_NN_TYPE_UINT8"}},
        {"tensor_id": 1, "url": "offset", "size": [4, 1], "dtype": {"vx_type": "VSI_NN_TYPE_FLOAT32"}},
        {"tensor_id": 2, "url": "map", "size": [5, 6, 4, 1], "dtype": {"vx_type": "VSI_NN_TYPE_UINT8"}},
    ]
    usual: dict[str, object] = {
        "version": "1.7.5",
        "target_platform": ["rv1126"],
        "norm_tensor": tensors,
        "graph": [
            *({"left": "input", "right_tensor_id": number} for number in (0, 1)),
            {"left": "output", "right_tensor_id": 2},
        ],
    }
    return rknn("\n".join(["STANDIN1", *lines, ""]).encode(), 3, **{**usual, **told})
