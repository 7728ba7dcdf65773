"""Rules for RKNN-Toolkit2: what it did with each operator when it was tried, and what the vendor's lists say."""

import signal
from collections.abc import Iterator

from dashboard.lint.facts import rknn2
from dashboard.lint.facts.references import compiler, onnx_list, reasoned, tried
from dashboard.lint.facts.tried import (
    FLOAT,
    Answer,
    answer,
    answer_of_case,
    is_depthwise,
    is_refused_altogether,
)
from dashboard.lint.findings import Finding, Reference, Severity, Target
from dashboard.lint.graph import Graph, Node
from dashboard.lint.rules.fusing import fused
from dashboard.lint.rules.making import about
from dashboard.lint.rules.patterns import is_gelu, is_inside_layer_norm

HELPERS = ("Cast", "Greater", "Less", "ArgMax")  # what the cases are made of besides the operator itself
OTHER_WORDS = (
    "Write the layer with other operators, or leave it out of the network and compute it on the CPU."
)
QUANTIZED = ("QuantizeLinear", "DequantizeLinear")
FLOAT_BUILD = "A network that is quantized already is built without quantization: dtype float."
COUNTED = "With count_include_pad=1 it stays on the NPU, and gives other numbers at the edges. "
CPU_COST = "Measure it on a board; layers before and behind it hand their data over to the CPU and back."


def support(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Operators that the toolkit refuses or ends on, that go to the CPU, or that nobody promises."""
    if not node.is_standard or fused(node, graph, target) or _is_known_group(node, graph):
        return
    if is_refused_altogether(target.platform, target.dtype):
        return  # told once, of the whole source: rules/general.py
    found = answer(node, target.platform, target.dtype)
    if found is None:
        yield from _by_list(node)
    elif not found.is_built:
        yield _refused(node, found, target)
    else:
        yield from _built(node, found, target)


def _is_known_group(node: Node, graph: Graph) -> bool:
    return node.op == "Transpose" or is_gelu(node, graph) or is_inside_layer_norm(node, graph)


def _case(found: Answer) -> Reference:
    return tried(f"case '{found.case}', {found.dtype} on {found.platform}", found.toolkit)


def _refused(node: Node, found: Answer, target: Target) -> Finding:
    listed = (onnx_list(node.op),) if node.op in rknn2.LISTED else ()
    if found.died:
        why = signal.Signals(-found.died).name if found.died < 0 else f"status {found.died}"
        text = f"The toolkit's own process ended ({why}) when {found.case} was tried alone."
        code = "ends-the-toolkit"
    else:
        text = f"The toolkit refused {found.case} when it was tried alone: {found.refused[:160]}"
        code = "unsupported-operator"
    advice = FLOAT_BUILD if node.op in QUANTIZED else f"{_other_kind(found, target)}{OTHER_WORDS}"
    return about(node, code, Severity.ERROR, text, _case(found), *listed, advice=advice)


def _other_kind(found: Answer, target: Target) -> str:
    """A hint when the other kind of build took the case."""
    other = answer_of_case(found.case, target.platform, "" if found.dtype == FLOAT else FLOAT)
    return f"As {other.dtype} it was built: try that data type. " if other and other.is_built else ""


def _built(node: Node, found: Answer, target: Target) -> Iterator[Finding]:
    on_cpu = [op for op in found.on_cpu if op == node.op or op not in HELPERS]
    if on_cpu:
        text = f"{found.case} alone was planned for the CPU ({', '.join(dict.fromkeys(on_cpu))})."
        references = (_case(found), *_cpu_chapter(target, node.op))
        advice = f"{COUNTED}{CPU_COST}" if found.case == "AveragePool: padded" else CPU_COST
        yield about(node, "cpu-layer", Severity.WARNING, text, *references, advice=advice)
    elif node.op in rknn2.REFUSED:
        text = (
            f"The vendor's list says that {node.op} is not supported; tried alone it was built for the NPU."
        )
        yield about(node, "better-than-listed", Severity.NOTE, text, _case(found), onnx_list(node.op))


def _cpu_chapter(target: Target, op: str) -> tuple[Reference, ...]:
    if target.platform in rknn2.NO_CPU:
        return (compiler("4.1: no operator runs on this chip's CPU"),)
    if target.platform in rknn2.SMALL_CPU and op not in rknn2.SMALL_CPU_OPS:
        return (compiler("4.1: this chip's CPU takes few operators, and not this one"),)
    return ()


def _by_list(node: Node) -> Iterator[Finding]:
    """For what was not tried."""
    if node.op in rknn2.REFUSED:
        text = f"The vendor's list says that {node.op} is not supported."
        yield about(
            node, "unsupported-operator", Severity.ERROR, text, onnx_list(node.op), advice=OTHER_WORDS
        )
    elif node.op in rknn2.CONSTANT_ONLY:
        text = f"{node.op} is taken with constant inputs only."
        yield about(
            node, "unsupported-operator", Severity.ERROR, text, onnx_list(node.op), advice=OTHER_WORDS
        )
    elif node.op not in rknn2.LISTED:
        text = f"The vendor's list does not name {node.op}: whether it converts is not promised."
        source = reasoned("no row of the list is about this operator, and it was not tried")
        yield about(node, "unlisted-operator", Severity.WARNING, text, source)


def small_cpu(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Layers planned for a CPU that the vendor says does not take them."""
    found = answer(node, target.platform, target.dtype)
    few = target.platform in rknn2.SMALL_CPU and node.op not in rknn2.SMALL_CPU_OPS
    if not node.is_standard or fused(node, graph, target) or not found or node.op not in found.on_cpu:
        return
    if few or target.platform in rknn2.NO_CPU:
        text = f"The compiler plans {node.op} for the CPU, where the vendor lists no such operator for this chip."
        yield about(
            node,
            "no-unit",
            Severity.ERROR,
            text,
            compiler("4.1"),
            _case(found),
            advice=OTHER_WORDS,
        )


def batch(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Operators that the list takes with a batch of one only."""
    axis, shape = (1 if node.op == "GRU" else 0), node.input_shape()
    if node.op not in rknn2.BATCH_OF_ONE or shape is None or len(shape) < 3:
        return
    size, found = shape[axis], answer(node, target.platform, target.dtype)
    proved = found is not None and found.is_built and "batch" in found.case
    if isinstance(size, int) and size > 1 and not proved:
        text = f"A batch of {size}: the vendor's list takes {node.op} with 1."
        yield about(
            node, "batch", Severity.WARNING, text, onnx_list(node.op), advice="Convert with a batch of 1."
        )


def large(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Kernels, strides, paddings and dilations beyond what the NPU takes."""
    limits = rknn2.LARGEST.get("depthwise Conv" if is_depthwise(node) else node.op, {})
    weights = node.input(1)
    for name, most in limits.items():
        numbers = node.numbers(name)
        if (
            name == "kernel_shape"
            and not numbers
            and node.op.startswith("Conv")
            and weights
            and weights.shape
        ):
            numbers = tuple(size for size in weights.shape[2:] if isinstance(size, int))
        if any(number > most for number in numbers):
            sizes = "x".join(f"{number:g}" for number in numbers)
            text = f"{name.removesuffix('_shape')} {sizes}: the NPU takes up to {most} of a side."
            section = rknn2.SECTIONS.get(target.platform, "3")
            advice = "The toolkit will write it otherwise or leave it to the CPU: look at the layer table of a build."
            yield about(
                node,
                "beyond-the-npu",
                Severity.WARNING,
                text,
                compiler(f"{section}, {node.op}"),
                advice=advice,
            )


def masked_dropout(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """A dropout of opset 9 that also gives its mask, as older exporters wrote it."""
    if node.op == "Dropout" and node.is_standard and graph.opset == 9 and len(node.outputs) > 1:
        text = "Dropout of opset 9 with a second output is refused: Not support 'Dropout' of opset-9."
        seen = tried("four classifiers of onnx's test data; one output, or opset 7, 10, 11 or 12, was built")
        advice = "Convert the file: onnx.version_converter.convert_version(model, 13)."
        yield about(node, "unsupported-operator", Severity.ERROR, text, seen, advice=advice)


NODE_RULES = (support, small_cpu, batch, large, masked_dropout)
