"""RKNN-Toolkit2: the vendor's lists of operators, and what the real toolkit did with each when it was tried.

Two documents: a list of ONNX operators [RKNNToolKit2_OP_Support-2.3.2.md] and the compiler's, which says what each
chip's NPU takes (chapter 3) and what is left to the CPU (chapter 4) [RKNN Compiler Support Operator List V2.3.2].
"""

PLATFORMS = (
    "rv1126b",
    "rk3588",
    "rk3576",
    "rk3568",
    "rk3566",
    "rk3562",
    "rv1103",
    "rv1106",
    "rv1103b",
    "rv1106b",
    "rk2118",
)
DTYPES = ("w8a8", "w16a16i_dfp", "w4a16", "w8a16", "float")
OLDEST_OPSET = 12  # the release notes of 1.6.0 name 12 to 19; 11 was taken by 2.5.0 as well
NEWEST_OPSET = 19  # 20 is refused by 2.5.0: "need <= 19"; the list names the same number


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# rows of the list whose remark is "Not Supported"
REFUSED = _words(
    """Abs Acos Acosh Asin Asinh Atan Atanh Bernoulli BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor
    BlackmanWindow CastLike Ceil Celu CenterCropPad Col2Im Compress ConcatFromSequence ConvInteger Cosh
    CumSum DeformConv Det DFT DynamicQuantizeLinear Einsum GatherND GlobalLpPool GridSample
    GroupNormalization HammingWindow HannWindow Hardmax IsInf IsNaN Loop LpPool MatMulInteger Mean
    MelWeightMatrix Multinomial Neg NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot Optional
    OptionalGetElement OptionalHasElement Or QLinearConv QLinearMatMul RandomNormal RandomNormalLike
    RandomUniform RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
    ReduceProd ReduceSumSquare RNN Round Scan ScatterElements Selu SequenceAt SequenceConstruct
    SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap Shrink Sign Sinh
    SoftmaxCrossEntropyLoss Softsign SplitToSequence STFT StringNormalizer Sum Tan TfIdfVectorizer
    ThresholdedRelu TopK Trilu Unique Xor"""
)
LISTED = REFUSED | _words(
    """Add And ArgMax ArgMin AveragePool BatchNormalization Cast Clip Concat Constant ConstantOfShape Conv
    ConvTranspose Cos DepthToSpace DequantizeLinear Div Dropout Elu Equal Erf Exp Expand EyeLike Flatten
    Floor Gather GatherElements Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GRU HardSigmoid
    HardSwish Identity If InstanceNormalization LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
    LpNormalization LRN LSTM MatMul Max MaxPool MaxRoiPool MaxUnpool MeanVarianceNormalization Min Mish Mod
    Mul Pad Pow PRelu QuantizeLinear ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Resize
    ReverseSequence RoiAlign ScatterND Shape Sigmoid Sin Size Slice Softmax Softplus SpaceToDepth Split Sqrt
    Squeeze Sub Tanh Tile Transpose Unsqueeze Where"""
)
BATCH_OF_ONE = _words("GRU LogSoftmax RoiAlign Slice Softmax Tile")  # remark "batchsize: 1"
CONSTANT_ONLY = _words("EyeLike If")  # remark "only support constant input"

# chips whose CPU takes only these operators, or none [compiler's list, 4.1]; RV1106B and RV1103B as well
SMALL_CPU = _words("rv1103 rv1106 rv1103b rv1106b")
SMALL_CPU_OPS = _words(
    "Concat DataConvert Div exLayerNorm Exp Gather ReduceL2 ReduceMax Reshape ScatterND Softmax"
)
NO_CPU = _words("rk2118")

# sections of chapter 3 by chip
SECTIONS = {
    "rk3566": "3.1",
    "rk3568": "3.1",
    "rk3588": "3.2",
    "rk3562": "3.3",
    "rv1103": "3.4",
    "rv1106": "3.4",
    "rk3576": "3.5",
    "rv1126b": "3.5",
    "rk2118": "3.6",
    "rv1103b": "3.7",
    "rv1106b": "3.7",
}

# What every chip's NPU takes of these [compiler's list, 3.x.5, 3.x.6, 3.x.20 and the pools]: the largest kernel,
# stride, padding and dilation of a side
LARGEST = {
    "Conv": {"kernel_shape": 31, "strides": 7, "pads": 15, "dilations": 31},
    "depthwise Conv": {"kernel_shape": 8, "strides": 7, "pads": 15, "dilations": 32},
    "ConvTranspose": {"kernel_shape": 31, "strides": 8, "pads": 15, "dilations": 32},
    "MaxPool": {"kernel_shape": 7, "strides": 8, "pads": 7},
    "AveragePool": {"kernel_shape": 7, "strides": 8, "pads": 7},
}
