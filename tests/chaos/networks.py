"""Tiny networks with weights of their own, whose right answer is computed here by NumPy and nothing else.

Two 1x1 convolutions and a pixel shuffle. The `direct` route says DepthToSpace; the `traced` one says Reshape,
six-dimensional Transpose, Reshape, which a board with the quirk `transpose-over-4d` gets wrong in a known way.
"""

import io
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.float32]
HEIGHT, WIDTH, CHANNELS, SCALE = 6, 8, 3, 2
RIGHT, WRONG = (0, 1, 4, 2, 5, 3), (0, 1, 4, 2, 3, 5)  # the quirk exchanges the last two entries


@dataclass(frozen=True)
class Network:
    """One network: its number seeds the weights, so no two give the same answer."""

    number: int
    route: str

    @property
    def weights(self) -> dict[str, Array]:
        random = np.random.default_rng(self.number)
        shapes = {"w1": (8, CHANNELS, 1, 1), "b1": (8,), "w2": (SCALE * SCALE, 8, 1, 1)}
        return {name: random.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}

    def file(self) -> bytes:
        """The file that is uploaded."""
        nodes = [
            helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "Conv_1"),
            helper.make_node("Relu", ["c1"], ["r1"], "Relu_2"),
            helper.make_node("Conv", ["r1", "w2"], ["c2"], "Conv_3"),
            *(self._direct() if self.route == "direct" else self._traced()),
        ]
        constants = [numpy_helper.from_array(value, name) for name, value in self.weights.items()]
        shapes = {
            "split": (1, 1, SCALE, SCALE, HEIGHT, WIDTH),
            "whole": (1, 1, SCALE * HEIGHT, SCALE * WIDTH),
        }
        if self.route == "traced":
            constants += [numpy_helper.from_array(np.array(s, np.int64), n) for n, s in shapes.items()]
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, CHANNELS, HEIGHT, WIDTH])]
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, list(shapes["whole"]))]
        graph = helper.make_graph(nodes, f"net{self.number}", inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        return bytes(model.SerializeToString())

    def answer(self, picture: Array, quirky: bool = False) -> Array:
        """What the network gives for one picture, in float; on a quirky board, the wrong order it must give."""
        w = self.weights
        first = np.einsum("oi,ihw->ohw", w["w1"][:, :, 0, 0], picture) + w["b1"][:, None, None]
        second = np.einsum("oi,ihw->ohw", w["w2"][:, :, 0, 0], np.maximum(first, 0))
        split = second.reshape(1, 1, SCALE, SCALE, HEIGHT, WIDTH)
        return np.asarray(split.transpose(WRONG if quirky else RIGHT)).reshape(
            1, 1, SCALE * HEIGHT, SCALE * WIDTH
        )

    def is_hurt_by_quirk(self) -> bool:
        """Does it contain what the quirk gets wrong?"""
        return self.route == "traced"

    def _direct(self) -> list[onnx.NodeProto]:
        # RIGHT is the CRD order; with one channel CRD and DCR are the same
        return [
            helper.make_node("DepthToSpace", ["c2"], ["y"], "DepthToSpace_4", blocksize=SCALE, mode="CRD")
        ]

    def _traced(self) -> list[onnx.NodeProto]:
        return [
            helper.make_node("Reshape", ["c2", "split"], ["six"], "Reshape_4"),
            helper.make_node("Transpose", ["six"], ["moved"], "Transpose_5", perm=RIGHT),
            helper.make_node("Reshape", ["moved", "whole"], ["y"], "Reshape_6"),
        ]


def pictures(seed: int, count: int) -> list[Array]:
    """Samples as the networks take them, values 0..1."""
    random = np.random.default_rng(seed)
    return [random.random((CHANNELS, HEIGHT, WIDTH), np.float32) for _ in range(count)]


def archive(samples: list[Array]) -> bytes:
    """An input set as people upload it: a zip of arrays."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as file:
        for number, sample in enumerate(samples):
            one: Any = io.BytesIO()
            np.save(one, sample, allow_pickle=False)
            file.writestr(f"{number:03d}.npy", one.getvalue())
    return whole.getvalue()
