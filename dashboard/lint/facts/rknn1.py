"""RKNN-Toolkit 1.7.5: which operators the vendor's table supports, by the route that a network takes into the toolkit.

The table speaks of PyTorch's operators, loaded from TorchScript or from the ONNX file (opset 12) that PyTorch exports;
it is valid for RK3399Pro, RK1808, RV1109 and RV1126 alike [RKNN_OP_Support_And_Limit.xlsx, head]. Operators that it
does not name are promised by nobody.
"""

from dataclasses import dataclass

PLATFORMS = ("rv1126", "rv1109", "rk1808", "rk3399pro")
DTYPES = ("u8", "i8", "i16", "float")
EIGHT_BITS = ("u8", "i8")
OPSETS = range(8, 13)  # [RKNN_OP_Support_V1.7.5.md, ONNX]
SAFE_IR = 7  # the manuals disagree (onnx 1.6, 1.7, 1.10); up to this all of them take [User Guide 1.4, 2.2]


@dataclass(frozen=True)
class Row:
    """A row of the table: whether each route takes the operator, and whether 8 bits may cost accuracy."""

    name: str
    pytorch: bool
    onnx: bool
    drops_on_8_bits: bool


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


REFUSED = _words(
    """convolution_3D deconvolution_3D dynamic_convolution_3D avg_pool3d max_pool3d adaptive_avg_pool1d
    adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d celu log_sigmoid selu
    softshrink softsign softplus tanhshrink threshold trunc batchnorm3d instancenorm3d upsample_nearest1d
    upsample_bilinear1d upsample_bicubic1d upsample_bicubic2d tan bitwise_not bitwise_xor eq gt ge le lt
    logical_not logical_xor ne where take topk"""
)
PYTORCH_ONLY = _words(
    "avg_pool1d max_pool1d erf gru pixel_shuffle cos ceil maximum minimum tile embedding_renorm_"
)
BOTH = _words(
    """convolution_1D convolution_2D deconvolution_1D deconvolution_2D dynamic_convolution_1D
    dynamic_convolution_2D avg_pool2d max_pool2d adaptive_avg_pool2d constant_pad_1d constant_pad_2d
    constant_pad_3d reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d replication_pad3d
    clamp elu gelu hard_sigmoid hardswish hardtanh leaky_relu log_softmax mish prelu relu relu6 sigmoid silu
    softmax tanh batchnorm1d batchnorm2d instancenorm1d instancenorm2d group_norm layer_norm lstm
    upsample_nearest2d upsample_bilinear2d linear matmul abs add cumsum div exp floor log mean mul max min
    round prod pow rsqrt rsub sin sqrt sub sum cat chunk clone expand expand_as flatten flip permute repeat
    reshape slice split squeeze stack transpose unsqueeze view t arange argmin argmax embedding select size"""
)
DROPS = _words("ceil cumsum mean max min round sum argmin argmax embedding embedding_renorm_")

# The table's row for an operator of ONNX; what depends on the number of dimensions stands in BY_RANK.
ROW_OF = {
    **{op: op.lower() for op in ("Abs", "Add", "Cos", "Ceil", "CumSum", "Div", "Exp", "Floor", "Log", "Mul")},
    **{op: op.lower() for op in ("Round", "Pow", "Sin", "Sqrt", "Sub", "Tan", "Where", "Split", "Expand")},
    **{op: op.lower() for op in ("Flatten", "Reshape", "Slice", "Squeeze", "Unsqueeze", "Tile", "ArgMin")},
    **{
        op: op.lower()
        for op in ("ArgMax", "TopK", "Celu", "Elu", "Erf", "HardSwish", "Mish", "PRelu", "Relu")
    },
    **{
        op: op.lower() for op in ("Selu", "Sigmoid", "Softsign", "Softmax", "Softplus", "Tanh", "LSTM", "GRU")
    },
    **{op: op.lower() for op in ("MatMul", "Size")},
    "ReduceMean": "mean",
    "ReduceMax": "max",
    "ReduceMin": "min",
    "ReduceProd": "prod",
    "ReduceSum": "sum",
    "Max": "maximum",
    "Min": "minimum",
    "Not": "logical_not",
    "Xor": "logical_xor",
    "Equal": "eq",
    "Greater": "gt",
    "GreaterOrEqual": "ge",
    "Less": "lt",
    "LessOrEqual": "le",
    "Concat": "cat",
    "Transpose": "permute",
    "Range": "arange",
    "Clip": "clamp",
    "HardSigmoid": "hard_sigmoid",
    "LeakyRelu": "leaky_relu",
    "LogSoftmax": "log_softmax",
    "Shrink": "softshrink",
    "ThresholdedRelu": "threshold",
    "LayerNormalization": "layer_norm",
    "Gemm": "linear",
    "DepthToSpace": "pixel_shuffle",
    "GlobalAveragePool": "adaptive_avg_pool2d",
    "GlobalMaxPool": "adaptive_max_pool2d",
}
# by the number of dimensions of the input: batch, channels, and one to three of space
BY_RANK = {
    "Conv": ("convolution_1D", "convolution_2D", "convolution_3D"),
    "ConvTranspose": ("deconvolution_1D", "deconvolution_2D", "deconvolution_3D"),
    "AveragePool": ("avg_pool1d", "avg_pool2d", "avg_pool3d"),
    "MaxPool": ("max_pool1d", "max_pool2d", "max_pool3d"),
    "BatchNormalization": ("batchnorm1d", "batchnorm2d", "batchnorm3d"),
    "InstanceNormalization": ("instancenorm1d", "instancenorm2d", "instancenorm3d"),
}
RESIZED = {"nearest": "upsample_nearest", "linear": "upsample_bilinear", "cubic": "upsample_bicubic"}
HARMLESS = _words("Identity Dropout Constant")

# ONNX operators of the plain list of 1.7.1, the last that names them; the table of 1.7.5 contradicts it here and there
LISTED_BY_171 = _words(
    """Add AveragePool GlobalAveragePool BatchNormalization Cast Clip Concat Conv ConvTranspose DepthToSpace
    DequantizeLinear Div Dropout Elu Exp Expand Flatten Floor Gather Gemm GlobalMaxPool GRU HardSwish
    Identity InstanceNormalization LeakyRelu Log LogSoftmax LRN LSTM MatMul MaxPool Mul PRelu QuantizeLinear
    Reciprocal ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Resize Sigmoid Slice Softmax
    SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh Transpose Unsqueeze Upsample"""
)


def row(name: str) -> Row | None:
    """The table's row of this name, None when it has none."""
    if name in BOTH:
        return Row(name, True, True, name in DROPS)
    if name in PYTORCH_ONLY:
        return Row(name, True, False, name in DROPS)
    return Row(name, False, False, name in DROPS) if name in REFUSED else None
