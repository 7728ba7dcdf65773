"""Networks of the sizes that people bring, with seeded weights: ResNet-18's shape, and a small super-resolution one."""

from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Samples = list[dict[str, NDArray[np.float32]]]


@dataclass
class Layers:
    """Nodes and weights as they are added; every method returns the name of the tensor that it adds."""

    rng: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def node(self, op: str, inputs: list[str], name: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def weight(self, name: str, shape: tuple[int, ...], spread: float) -> str:
        values = (self.rng.standard_normal(shape) * spread).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(
        self, x: str, name: str, channels: tuple[int, int], kernel: int, stride: int = 1, gain: float = 1.0
    ) -> str:
        """Weights as He set them, so that activations keep their size from layer to layer."""
        shape = (channels[1], channels[0], kernel, kernel)
        spread = gain * (2 / (channels[0] * kernel * kernel)) ** 0.5
        inputs = [x, self.weight(f"{name}.w", shape, spread), self.weight(f"{name}.b", shape[:1], 0.01)]
        return self.node("Conv", inputs, name, pads=[kernel // 2] * 4, strides=[stride, stride])

    def model(
        self, input_shape: tuple[int, ...], output: str, output_shape: tuple[int, ...]
    ) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "bench",
            [helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, input_shape)],
            [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, output_shape)],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        return model


def resnet18() -> tuple[onnx.ModelProto, Samples]:
    """11.7 million weights, 224 x 224, batch normalization folded as an export leaves it; ten samples."""
    net = Layers(np.random.default_rng(0))
    x = net.node("Relu", [net.conv("input", "stem", (3, 64), 7, 2)], "stem.relu")
    x = net.node("MaxPool", [x], "pool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
    width = 64
    for place, wide in enumerate((64, 64, 128, 128, 256, 256, 512, 512)):
        x, width = _block(net, x, f"block{place}", (width, wide)), wide
    x = net.node("Flatten", [net.node("GlobalAveragePool", [x], "mean")], "flat")
    fully = [x, net.weight("fc.w", (512, 1000), 0.05), net.weight("fc.b", (1000,), 0.01)]
    return net.model((1, 3, 224, 224), net.node("Gemm", fully, "fc"), (1, 1000)), samples(
        (1, 3, 224, 224), 10
    )


def _block(net: Layers, x: str, name: str, channels: tuple[int, int]) -> str:
    stride = 1 if channels[0] == channels[1] else 2
    inner = net.node("Relu", [net.conv(x, f"{name}.1", channels, 3, stride)], f"{name}.relu1")
    inner = net.conv(inner, f"{name}.2", (channels[1], channels[1]), 3, gain=0.3)
    around = x if stride == 1 else net.conv(x, f"{name}.around", channels, 1, stride, gain=0.7)
    return net.node("Relu", [net.node("Add", [inner, around], f"{name}.sum")], f"{name}.relu2")


def small() -> tuple[onnx.ModelProto, Samples]:
    """Six convolutions and a PixelShuffle on 120 x 90, like the forum's network; eight samples."""
    net = Layers(np.random.default_rng(1))
    x, width = "input", 3
    for place in range(5):
        x = net.node("Relu", [net.conv(x, f"body{place}", (width, 64), 3)], f"body{place}.relu")
        width = 64
    x = net.conv(x, "last", (64, 48), 3, gain=0.1)
    x = net.node("DepthToSpace", [x], "shuffled", blocksize=4, mode="CRD")
    return net.model((1, 3, 120, 90), x, (1, 3, 480, 360)), samples((1, 3, 120, 90), 8)


def samples(shape: tuple[int, ...], count: int) -> Samples:
    rng = np.random.default_rng(2)
    return [{"input": rng.standard_normal(shape).astype(np.float32)} for _ in range(count)]


NETWORKS = {"ResNet-18's shape, 224 x 224": resnet18, "small, 120 x 90": small}
