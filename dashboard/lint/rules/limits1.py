"""Rules for RKNN-Toolkit 1.7: the limits that its table and manuals name for operators that it takes."""

from collections.abc import Iterator

from dashboard.lint.facts.references import CONV_TRANSPOSE, YOLO_1, reasoned, sheet, trouble
from dashboard.lint.facts.tried import is_depthwise, resize_scales
from dashboard.lint.findings import Finding, Severity, Target
from dashboard.lint.graph import Graph, Node
from dashboard.lint.rules.making import about
from dashboard.lint.rules.patterns import is_swish

REFUSED = "limit"


def convolution(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Dilations, groups, computed weights, kernels, depthwise layers."""
    if node.op not in ("Conv", "ConvTranspose"):
        return
    dilations, strides = node.numbers("dilations"), node.numbers("strides")
    if len(set(dilations)) > 1 and min(dilations) > 1:
        text = f"Dilations {_list(dilations)}: both above 1 and unequal are not taken."
        name = "convolution 2D" if node.op == "Conv" else "deconvolution 2D"
        yield about(node, REFUSED, Severity.ERROR, text, sheet(name), advice="Use equal dilations.")
    weights = node.input(1)
    if node.op == "Conv" and weights and not weights.is_constant:
        yield from _computed_weights(node, target)
    kernel = node.numbers("kernel_shape") or (weights.shape[2:] if weights and weights.shape else ())
    if node.op == "Conv" and any(
        isinstance(k, int | float) and k > 11 * (strides[0] if strides else 1) - 1 for k in kernel
    ):
        text = f"Kernel {_list(kernel)}: the engine takes up to 11 times the stride, less one, of a side."
        yield about(
            node, "slow-layer", Severity.WARNING, text, trouble("9"), advice="3x3 kernels are the fastest."
        )
    if is_depthwise(node):
        text = "Depthwise convolutions quantize badly here: one scale serves all channels."
        advice = "Avoid relu6 and a BatchNorm behind it, keep its weights small in training, or give it i16."
        yield about(node, "depthwise", Severity.NOTE, text, trouble("9, item 3"), advice=advice)


def _computed_weights(node: Node, target: Target) -> Iterator[Finding]:
    row, group, shape = sheet("dynamic convolution"), node.attributes.get("group", 1), node.input_shape()
    if target.dtype != "float":
        text = "Its weights are computed by the network: that cannot be quantized."
        yield about(
            node,
            REFUSED,
            Severity.ERROR,
            text,
            row,
            advice="Leave this layer in float (hybrid quantization).",
        )
    if group != 1 and shape is not None and group != shape[1]:
        text = f"Its weights are computed by the network, in {group} groups: 1 or one a channel are taken."
        yield about(node, REFUSED, Severity.ERROR, text, row)


def transposed(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """A transposed convolution whose size has changed during a build."""
    if node.op == "ConvTranspose":
        text = "A transposed convolution has lost a row and a column in a build of this toolkit, by a report."
        advice = "Compare the sizes of its output in the converted graph with the source's."
        yield about(node, "shape-may-change", Severity.NOTE, text, CONV_TRANSPOSE, advice=advice)


def pool(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """MaxPool from ONNX: no dilation, no indices, no ceil_mode."""
    if node.op != "MaxPool":
        return
    wrong = []
    if any(number > 1 for number in node.numbers("dilations")):
        wrong.append("dilation above 1")
    if node.attributes.get("ceil_mode"):
        wrong.append("ceil_mode")
    if len(node.outputs) > 1:
        wrong.append("indices as a second output")
    for what in wrong:
        yield about(node, REFUSED, Severity.ERROR, f"MaxPool with {what} is not taken.", sheet("max_pool2d"))


def padding(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Padding on the batch, or with something else than 0."""
    if node.op != "Pad":
        return
    pads, value = node.input(1), node.input(2)
    sizes = (pads.values if pads else None) or node.numbers("pads")
    row = sheet("constant_pad_2d")
    if sizes and (sizes[0] or sizes[len(sizes) // 2]):
        yield about(node, REFUSED, Severity.ERROR, "It pads the batch, which is not taken.", row)
    number = value.values[0] if value and value.values else node.attributes.get("value", 0)
    if node.attributes.get("mode", "constant") == "constant" and number and target.dtype != "float":
        text = f"It pads with {number:g}; a quantized network may pad with 0 only."
        yield about(node, REFUSED, Severity.ERROR, text, row)


def activation(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Softmax of one dimension, Elu with another alpha, bounds of Clip, SiLU's cost."""
    if node.op in ("Softmax", "LogSoftmax") and len(node.input_shape() or (0, 0)) == 1:
        yield about(node, REFUSED, Severity.ERROR, "Softmax of one dimension is not taken.", sheet("softmax"))
    alpha = node.attributes.get("alpha", 1.0)
    if node.op == "Elu" and alpha != 1.0:
        text = f"From ONNX Elu is taken with alpha 1 only, not {alpha:g}."
        advice = "Upload the traced network (.pt) as another route."
        yield about(
            node, REFUSED, Severity.ERROR, text, sheet("elu"), advice=advice, other_route="TorchScript"
        )
    if is_swish(node, graph):
        text = (
            "SiLU (x times its Sigmoid) is much slower than ReLU on this NPU; the vendor's demo exchanges it."
        )
        yield about(
            node, "slow-layer", Severity.NOTE, text, YOLO_1, advice="Train with ReLU where that is possible."
        )


def arithmetic(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Division by another shape, powers, reductions that keep the dimension."""
    one, other = node.input_shape(0), node.input_shape(1)
    if node.op == "Div" and one is not None and other is not None and one != other and not _is_scalar(other):
        text = f"It divides {_list(one)} by {_list(other)}: shapes must be equal."
        yield about(
            node, REFUSED, Severity.ERROR, text, sheet("div"), advice="Multiply by the reciprocal instead."
        )
    exponent = node.input(1)
    if (
        node.op == "Pow"
        and exponent
        and exponent.values
        and any(v is not None and v < 0 for v in exponent.values)
    ):
        yield about(node, REFUSED, Severity.ERROR, "Negative exponents are not taken.", sheet("pow"))
    if node.op in ("ArgMax", "ArgMin") and node.attributes.get("keepdims", 1):
        text = f"From ONNX {node.op} is taken with keepdims=0 only."
        yield about(node, REFUSED, Severity.ERROR, text, sheet(node.op.lower()), advice="Set keepdim=False.")


def recurrent(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """LSTM and GRU with a batch."""
    shape = node.input_shape()
    if node.op in ("LSTM", "GRU") and shape is not None and isinstance(shape[1], int) and shape[1] > 1:
        text = f"A batch of {shape[1]}: only 1 is taken."
        yield about(node, REFUSED, Severity.ERROR, text, sheet(node.op.lower()))


def resizing(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Sizes that do not come out even."""
    shape, scales = node.input_shape(), resize_scales(node)
    if node.op not in ("Resize", "Upsample") or shape is None or not scales or len(scales) != len(shape):
        return
    sizes = [size * scale for size, scale in zip(shape, scales, strict=True) if isinstance(size, int)]
    if not all(float(size).is_integer() for size in sizes):
        text = f"Scales {_list(scales)} of {_list(shape)} give no whole sizes."
        yield about(node, REFUSED, Severity.ERROR, text, sheet("upsample_nearest2d"))


def batch_of_expand(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Expand and Tile along the batch."""
    before, after = node.input_shape(), node.outputs[0].shape if node.outputs else None
    if (
        node.op in ("Expand", "Tile")
        and before
        and after
        and len(before) == len(after)
        and before[0] != after[0]
    ):
        yield about(
            node, REFUSED, Severity.ERROR, "It repeats along the batch, which is not taken.", sheet("expand")
        )


def slopes(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """PRelu's slopes share one scale."""
    slope = node.input(1)
    if (
        node.op == "PRelu"
        and target.dtype != "float"
        and slope
        and slope.shape
        and max(map(_number, slope.shape)) > 1
    ):
        text = "A slope for each channel, but one scale for all of them: small slopes are rounded away."
        source = reasoned("the user guide knows no scale per channel (3.2.2.1)")
        yield about(
            node, "shared-scale", Severity.NOTE, text, source, advice="Look at this layer's score first."
        )


def _is_scalar(shape: tuple[object, ...]) -> bool:
    return all(size == 1 for size in shape)


def _number(size: object) -> int:
    return size if isinstance(size, int) else 0


def _list(numbers: object) -> str:
    values = numbers if isinstance(numbers, tuple) else ()
    return "x".join(f"{v:g}" if isinstance(v, int | float) else str(v) for v in values)


NODE_RULES = (
    convolution,
    transposed,
    pool,
    padding,
    activation,
    arithmetic,
    recurrent,
    resizing,
    batch_of_expand,
    slopes,
)
