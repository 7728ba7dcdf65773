"""One small ONNX model per operator, for asking a vendor's toolkit what it does with it.

Runs in the toolkit's interpreter, which has onnx. Each case takes one float input `x` of a picture's shape, so that
the operator cannot be folded away as a constant, and gives a float output `y`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

OPSET = 17
SHAPE = (1, 16, 8, 8)
Nodes = tuple[list[NodeProto], dict[str, np.ndarray]]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# operators of one input and no attributes worth naming
PLAIN = _words(
    """Abs Acos Asin Asinh Atan Atanh Ceil Celu Cos Cosh Elu Erf Exp Floor HardSigmoid HardSwish LeakyRelu
Log Neg Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan Tanh ThresholdedRelu
LogSoftmax Softmax Hardmax Flatten GlobalAveragePool GlobalMaxPool GlobalLpPool LpNormalization Identity Dropout
MeanVarianceNormalization"""
)
REDUCING = _words("L1 L2 LogSum LogSumExp Max Mean Min Prod SumSquare")
PAIRING = _words("Add Sub Mul Div Pow Max Min Mean Sum")
COMPARING = _words("Equal Greater GreaterOrEqual Less LessOrEqual")
JOINING = _words("And Or Xor")


def cases() -> dict[str, ModelProto]:
    """Every case by its name: the operator's, or `operator: what is special`."""
    made = {op: _one(op) for op in PLAIN}
    made |= {f"Reduce{kind}": _one(f"Reduce{kind}", axes=[1], keepdims=1) for kind in REDUCING}
    made |= {op: _model(*_pair(op)) for op in PAIRING}
    made |= {op: _model(*_to_float([_node(op, ["x", "half"], "t")], half=_scalar(0.5))) for op in COMPARING}
    made |= {op: _model(*_logic(op)) for op in JOINING}
    made |= {name: _model(*make()) for name, make in SPECIAL.items()}
    made |= {f"after Conv: {op}": _model(*_after_conv(_node(op, ["c"]))()) for op in FUSED}
    made |= {op: _model(*NEWER[op][1](), opset=NEWER[op][0]) for op in NEWER}
    return made


def _node(op: str, inputs: list[str], output: str = "y", **attributes: Any) -> NodeProto:
    return helper.make_node(op, inputs, [output], f"{op}_under_test", **attributes)


def _one(op: str, **attributes: Any) -> ModelProto:
    return _model([_node(op, ["x"], **attributes)], {})


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.3, shape).astype(np.float32)


def _scalar(value: float) -> np.ndarray:
    return np.array([value], np.float32)


def _ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def _pair(op: str) -> Nodes:
    return [_node(op, ["x", "other"])], {"other": np.abs(_random(1, 16, 1, 1)) + 0.5}


def _to_float(nodes: list[NodeProto], result: str = "t", **constants: np.ndarray) -> Nodes:
    return [*nodes, helper.make_node("Cast", [result], ["y"], "to_float", to=TensorProto.FLOAT)], constants


def _logic(op: str) -> Nodes:
    nodes = [
        helper.make_node("Greater", ["x", "zero"], ["a"], "left"),
        helper.make_node("Less", ["x", "one"], ["b"], "right"),
        _node(op, ["a", "b"], "t"),
    ]
    return _to_float(nodes, zero=_scalar(0), one=_scalar(1))


def _not() -> Nodes:
    nodes = [helper.make_node("Greater", ["x", "zero"], ["a"], "left"), _node("Not", ["a"], "t")]
    return _to_float(nodes, zero=_scalar(0))


def _where() -> Nodes:
    nodes = [
        helper.make_node("Greater", ["x", "zero"], ["a"], "left"),
        _node("Where", ["a", "x", "zero"]),
    ]
    return nodes, {"zero": _scalar(0)}


def _with(op: str, constants: dict[str, np.ndarray], **attributes: Any) -> Callable[[], Nodes]:
    return lambda: ([_node(op, ["x", *constants], **attributes)], constants)


def _counted(op: str, constants: dict[str, np.ndarray], **attributes: Any) -> Callable[[], Nodes]:
    """An operator whose result is no float tensor."""
    return lambda: _to_float([_node(op, ["x", *constants], "t", **attributes)], **constants)


def _shuffled(first: list[int], perm: list[int], last: list[int]) -> Callable[[], Nodes]:
    """Convolution, then Reshape, Transpose, Reshape, as networks rearrange channels and places."""

    def make() -> Nodes:
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["c"], "conv", pads=[1, 1, 1, 1]),
            helper.make_node("Reshape", ["c", "first"], ["r"], "reshape"),
            _node("Transpose", ["r"], "t", perm=perm),
            helper.make_node("Reshape", ["t", "last"], ["y"], "reshape_back"),
        ]
        return nodes, {"w": _random(16, 16, 3, 3), "first": _ints(*first), "last": _ints(*last)}

    return make


def _recurrent(op: str, gates: int) -> Callable[[], Nodes]:
    """x as 8 steps of 1 x 128."""

    def make() -> Nodes:
        nodes = [
            helper.make_node("Reshape", ["x", "steps"], ["s"], "reshape"),
            helper.make_node(op, ["s", "w", "r", "b"], ["t"], f"{op}_under_test", hidden_size=16),
            helper.make_node("Squeeze", ["t", "directions"], ["y"], "squeeze"),
        ]
        weights = {"w": (1, gates * 16, 128), "r": (1, gates * 16, 16), "b": (1, gates * 32)}
        constants = {name: _random(*shape) for name, shape in weights.items()}
        return nodes, {"steps": _ints(8, 1, 128), "directions": _ints(1), **constants}

    return make


def _reshaped(
    op: str, shape: tuple[int, ...], constants: dict[str, np.ndarray], **attributes: Any
) -> Callable[[], Nodes]:
    def make() -> Nodes:
        nodes = [
            helper.make_node("Reshape", ["x", "shape"], ["reshaped"], "reshape"),
            _node(op, ["reshaped", *constants], **attributes),
        ]
        return nodes, {"shape": _ints(*shape), **constants}

    return make


def _resize(mode: str, scale: float = 2.0, way: str = "half_pixel") -> Callable[[], Nodes]:
    scales = np.array([1, 1, scale, scale], np.float32)
    return lambda: (
        [_node("Resize", ["x", "", "scales"], mode=mode, coordinate_transformation_mode=way)],
        {"scales": scales},
    )


def _norm(op: str, *shapes: tuple[int, ...], **attributes: Any) -> Callable[[], Nodes]:
    names = ("a", "b", "c", "d")[: len(shapes)]
    constants = {name: np.abs(_random(*shape)) + 0.5 for name, shape in zip(names, shapes, strict=True)}
    return _with(op, constants, **attributes)


def _after_conv(*nodes: NodeProto, **constants: np.ndarray) -> Callable[[], Nodes]:
    """A convolution `c` and what may become one layer with it."""
    conv = helper.make_node("Conv", ["x", "w"], ["c"], "conv", pads=[1, 1, 1, 1])
    return lambda: ([conv, *nodes], {"w": _random(16, 16, 3, 3), **constants})


def _gelu() -> Callable[[], Nodes]:
    nodes = [
        helper.make_node("Div", ["c", "root"], ["d"], "div"),
        helper.make_node("Erf", ["d"], ["e"], "erf"),
        helper.make_node("Add", ["e", "one"], ["a"], "add"),
        helper.make_node("Mul", ["c", "a"], ["m"], "mul"),
        helper.make_node("Mul", ["m", "half"], ["y"], "halve"),
    ]
    return _after_conv(*nodes, root=_scalar(2**0.5), one=_scalar(1), half=_scalar(0.5))


def _swish() -> Callable[[], Nodes]:
    return _after_conv(_node("Sigmoid", ["c"], "s"), helper.make_node("Mul", ["c", "s"], ["y"], "mul"))


def _mish() -> Callable[[], Nodes]:
    nodes = [_node("Softplus", ["c"], "s"), helper.make_node("Tanh", ["s"], ["t"], "tanh")]
    return _after_conv(*nodes, helper.make_node("Mul", ["c", "t"], ["y"], "mul"))


C = (16,)
FUSED = _words("Relu LeakyRelu Sigmoid Tanh Softplus HardSigmoid HardSwish Elu")
SPECIAL: dict[str, Callable[[], Nodes]] = {
    "after Conv: PRelu": _after_conv(_node("PRelu", ["c", "slope"]), slope=np.abs(_random(16, 1, 1))),
    "after Conv: Clip": _after_conv(
        _node("Clip", ["c", "low", "high"]), low=np.array(0, np.float32), high=np.array(6, np.float32)
    ),
    "after Conv: Add": _after_conv(_node("Add", ["c", "x"])),
    "after Conv: Mul by a constant": _after_conv(_node("Mul", ["c", "k"]), k=np.abs(_random(16, 1, 1))),
    "after Conv: BatchNormalization": _after_conv(
        _node("BatchNormalization", ["c", "s", "b", "m", "v"]),
        **{name: np.abs(_random(16)) + 0.5 for name in "sbmv"},
    ),
    "after Conv: Gelu": _gelu(),
    "after Conv: Swish": _swish(),
    "after Conv: Mish": _mish(),
    "ReduceSum": _with("ReduceSum", {"axes": _ints(1)}),
    "ArgMax": _counted("ArgMax", {}, axis=1),
    "ArgMin": _counted("ArgMin", {}, axis=1),
    "IsNaN": _counted("IsNaN", {}),
    "IsInf": _counted("IsInf", {}),
    "NonZero": _counted("NonZero", {}),
    "Not": _not,
    "Where": _where,
    "Mod": _with("Mod", {"two": _scalar(2.0)}, fmod=1),
    "Clip": _with("Clip", {"low": np.array(0, np.float32), "high": np.array(6, np.float32)}),
    "PRelu": _with("PRelu", {"slope": np.abs(_random(16, 1, 1))}),
    "Conv": _with("Conv", {"w": _random(16, 16, 3, 3)}, pads=[1, 1, 1, 1]),
    "Conv: unequal dilations": _with("Conv", {"w": _random(16, 16, 3, 3)}, dilations=[2, 3]),
    "Conv: depthwise": _with("Conv", {"w": _random(16, 1, 3, 3)}, group=16),
    "Conv: weights that are computed": lambda: (
        [
            helper.make_node("Reshape", ["x", "shape"], ["w"], "reshape"),
            _node("Conv", ["x", "w"]),
        ],
        {"shape": _ints(64, 16, 1, 1)},
    ),
    "Conv: of 1 dimension": _reshaped("Conv", (1, 16, 64), {"w": _random(16, 16, 3)}),
    "Conv: of 3 dimensions": _reshaped("Conv", (1, 4, 4, 8, 8), {"w": _random(4, 4, 3, 3, 3)}),
    "ConvTranspose": _with("ConvTranspose", {"w": _random(16, 16, 2, 2)}, strides=[2, 2]),
    "Gemm": _reshaped("Gemm", (1, 1024), {"w": _random(1024, 10)}),
    "MatMul": _with("MatMul", {"w": _random(8, 8)}),
    "MatMul: of two results": lambda: ([_node("MatMul", ["x", "x"])], {}),
    "BatchNormalization": _norm("BatchNormalization", C, C, C, C),
    "InstanceNormalization": _norm("InstanceNormalization", C, C),
    "LayerNormalization": _norm("LayerNormalization", (8,), (8,), axis=-1, epsilon=1e-5),
    "LayerNormalization: 3 dimensions": _reshaped(
        "LayerNormalization",
        (1, 16, 64),
        {"a": np.ones(64, np.float32), "b": np.zeros(64, np.float32)},
        axis=-1,
        epsilon=1e-5,
    ),
    "LRN": _with("LRN", {}, size=3),
    "AveragePool": _with("AveragePool", {}, kernel_shape=[2, 2], strides=[2, 2]),
    "AveragePool: padded": _with(
        "AveragePool", {}, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=0
    ),
    "AveragePool: padding counted": _with(
        "AveragePool", {}, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "MaxPool: padded": _with("MaxPool", {}, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "MaxPool": _with("MaxPool", {}, kernel_shape=[2, 2], strides=[2, 2]),
    "MaxPool: ceil_mode": _with("MaxPool", {}, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "MaxPool: dilated": _with("MaxPool", {}, kernel_shape=[3, 3], dilations=[2, 2]),
    "MaxPool: of 1 dimension": _reshaped("MaxPool", (1, 16, 64), {}, kernel_shape=[2], strides=[2]),
    "AveragePool: of 1 dimension": _reshaped("AveragePool", (1, 16, 64), {}, kernel_shape=[2], strides=[2]),
    "AveragePool: of 3 dimensions": _reshaped("AveragePool", (1, 4, 4, 8, 8), {}, kernel_shape=[2, 2, 2]),
    "LpPool": _with("LpPool", {}, kernel_shape=[2, 2]),
    "Concat": lambda: ([_node("Concat", ["x", "x"], axis=1)], {}),
    "Slice": _with("Slice", {"s": _ints(2), "e": _ints(9), "a": _ints(1)}),
    "Pad": _with("Pad", {"p": _ints(0, 0, 1, 1, 0, 0, 1, 1)}),
    "Pad: reflect": _with("Pad", {"p": _ints(0, 0, 1, 1, 0, 0, 1, 1)}, mode="reflect"),
    "Pad: edge": _with("Pad", {"p": _ints(0, 0, 1, 1, 0, 0, 1, 1)}, mode="edge"),
    "Reshape": _with("Reshape", {"s": _ints(1, 4, 32, 8)}),
    "Unsqueeze": _with("Unsqueeze", {"a": _ints(2)}),
    "Squeeze": _reshaped("Squeeze", (1, 16, 1, 64), {"a": _ints(2)}),
    "Transpose": _with("Transpose", {}, perm=[0, 2, 3, 1]),
    "Transpose: batch moved": _reshaped("Transpose", (2, 8, 8, 8), {}, perm=[1, 0, 2, 3]),
    "Transpose: 6 dimensions that stay": _reshaped(
        "Transpose", (2, 2, 4, 4, 4, 4), {}, perm=[5, 3, 1, 4, 2, 0]
    ),
    "Transpose: pixel shuffle": _shuffled([1, 4, 2, 2, 8, 8], [0, 1, 4, 2, 5, 3], [1, 4, 16, 16]),
    "Transpose: pixel unshuffle": _shuffled([1, 16, 4, 2, 4, 2], [0, 1, 3, 5, 2, 4], [1, 64, 4, 4]),
    "Transpose: pixel shuffle, DCR": _shuffled([1, 2, 2, 4, 8, 8], [0, 3, 4, 1, 5, 2], [1, 4, 16, 16]),
    "Transpose: pixel unshuffle, DCR": _shuffled([1, 16, 4, 2, 4, 2], [0, 3, 5, 1, 2, 4], [1, 64, 4, 4]),
    "Transpose: channel shuffle": _shuffled([1, 4, 4, 8, 8], [0, 2, 1, 3, 4], [1, 16, 8, 8]),
    "DepthToSpace: CRD": _with("DepthToSpace", {}, blocksize=2, mode="CRD"),
    "DepthToSpace: DCR": _with("DepthToSpace", {}, blocksize=2, mode="DCR"),
    "SpaceToDepth": _with("SpaceToDepth", {}, blocksize=2),
    "Tile": _with("Tile", {"r": _ints(1, 2, 1, 1)}),
    "Expand": _reshaped("Expand", (1, 1024, 1, 1), {"s": _ints(1, 1024, 2, 2)}),
    "Softmax: batch of 2": _reshaped("Softmax", (2, 8, 8, 8), {}),
    "Slice: batch of 2": _reshaped("Slice", (2, 8, 8, 8), {"s": _ints(2), "e": _ints(7), "a": _ints(1)}),
    "Tile: batch of 2": _reshaped("Tile", (2, 8, 8, 8), {"r": _ints(1, 2, 1, 1)}),
    "Mul: of two results": lambda: (
        [helper.make_node("Sigmoid", ["x"], ["s"], "sigmoid"), _node("Mul", ["x", "s"])],
        {},
    ),
    "Gather: indices that are computed": lambda: (
        [
            helper.make_node("Reshape", ["x", "shape"], ["r"], "reshape"),
            helper.make_node("Cast", ["r"], ["i"], "to_int", to=TensorProto.INT64),
            _node("Gather", ["table", "i"], axis=0),
        ],
        {"shape": _ints(1024), "table": _random(4, 8)},
    ),
    "Gather": _with("Gather", {"i": _ints(3, 1, 2)}, axis=1),
    "GatherElements": _with("GatherElements", {"i": np.zeros((1, 16, 8, 2), np.int64)}, axis=3),
    "GatherND": _with("GatherND", {"i": np.zeros((1, 2), np.int64)}),
    "ScatterND": _with("ScatterND", {"i": np.array([[0, 1], [0, 3]]), "u": _random(2, 8, 8)}),
    "ScatterElements": _with(
        "ScatterElements", {"i": np.zeros((1, 16, 8, 2), np.int64), "u": _random(1, 16, 8, 2)}, axis=3
    ),
    "Resize: nearest": _resize("nearest"),
    "Resize: nearest, asymmetric": _resize("nearest", way="asymmetric"),
    "Resize: linear": _resize("linear"),
    "Resize: linear, 1.5 times": _resize("linear", 1.5),
    "Resize: cubic": _resize("cubic"),
    "Resize: of 1 dimension": lambda: (
        [
            helper.make_node("Reshape", ["x", "shape"], ["r"], "reshape"),
            _node("Resize", ["r", "", "scales"], mode="nearest"),
        ],
        {"shape": _ints(1, 16, 64), "scales": np.array([1, 1, 2], np.float32)},
    ),
    "GridSample": _with("GridSample", {"g": _random(1, 4, 4, 2)}),
    "RoiAlign": _with(
        "RoiAlign",
        {"r": np.array([[0, 0, 4, 4]], np.float32), "b": _ints(0)},
        output_height=2,
        output_width=2,
    ),
    "MaxRoiPool": _with("MaxRoiPool", {"r": np.array([[0, 0, 0, 4, 4]], np.float32)}, pooled_shape=[2, 2]),
    "CumSum": _with("CumSum", {"a": np.array(1, np.int64)}),
    "Einsum": lambda: ([_node("Einsum", ["x", "x"], equation="bchw,bciw->bchi")], {}),
    "Trilu": _with("Trilu", {}),
    "ReverseSequence": _reshaped(
        "ReverseSequence", (8, 16, 8), {"n": _ints(*[4] * 16)}, batch_axis=1, time_axis=0
    ),
    "QuantizeLinear": lambda: (
        [
            _node("QuantizeLinear", ["x", "s", "z"], "q"),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], "back"),
        ],
        {"s": np.array(0.02, np.float32), "z": np.array(0, np.int8)},
    ),
    "TopK": lambda: (
        [helper.make_node("TopK", ["x", "k"], ["y", "i"], "TopK_under_test", axis=1)],
        {"k": _ints(3)},
    ),
    "Split": lambda: (
        [
            helper.make_node("Split", ["x"], ["a", "b"], "Split_under_test", axis=1),
            helper.make_node("Add", ["a", "b"], ["y"], "sum"),
        ],
        {},
    ),
    "Unique": lambda: (
        [
            helper.make_node("Unique", ["x"], ["y"], "Unique_under_test"),
        ],
        {},
    ),
    "OneHot": lambda: (
        [
            helper.make_node("ArgMax", ["x"], ["i"], "argmax", axis=1, keepdims=0),
            _node("OneHot", ["i", "depth", "values"]),
        ],
        {"depth": _ints(16), "values": np.array([0, 1], np.float32)},
    ),
    "RandomNormalLike": lambda: (
        [_node("RandomNormalLike", ["x"], "n"), helper.make_node("Add", ["x", "n"], ["y"], "sum")],
        {},
    ),
    "LSTM": _recurrent("LSTM", 4),
    "GRU": _recurrent("GRU", 3),
    "RNN": _recurrent("RNN", 1),
}
NEWER: dict[str, tuple[int, Callable[[], Nodes]]] = {
    "Mish": (18, _with("Mish", {})),
    "GroupNormalization": (
        18,
        _with(
            "GroupNormalization", {"s": np.ones(4, np.float32), "b": np.zeros(4, np.float32)}, num_groups=4
        ),
    ),
    "DeformConv": (
        19,
        _with("DeformConv", {"w": _random(16, 16, 3, 3), "o": _random(1, 18, 6, 6)}),
    ),
    "Gelu": (20, _with("Gelu", {})),
}


def _model(nodes: list[NodeProto], constants: dict[str, np.ndarray], opset: int = OPSET) -> ModelProto:
    """The nodes as a model of one input `x` and one output `y`."""
    graph = helper.make_graph(
        nodes,
        "case",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
