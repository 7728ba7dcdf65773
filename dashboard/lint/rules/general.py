"""Rules about the source as a whole: operator set, file format, sizes that are left open, foreign operators."""

from collections.abc import Iterator

from dashboard.lint.facts import rknn1, rknn2
from dashboard.lint.facts.references import GUIDE_1, LIST_2, OPS_1, guide, reasoned, tried, trouble
from dashboard.lint.facts.tried import answer_of_case, is_refused_altogether
from dashboard.lint.findings import Finding, Reference, Severity, Target
from dashboard.lint.graph import Graph, Node
from dashboard.lint.rules.making import about, of_source

CONVERT = "Export again (torch.onnx.export: opset_version), or convert the file with onnx.version_converter."
RKNN2_OPSET = Reference(LIST_2, "head")


def opset(graph: Graph, target: Target) -> Iterator[Finding]:
    """Operator sets that a toolkit does not know."""
    if target.toolkit == "rknn1" and graph.opset not in rknn1.OPSETS:
        least, most = rknn1.OPSETS[0], rknn1.OPSETS[-1]
        text = (
            f"Opset {graph.opset}: RKNN-Toolkit 1.7 takes {least} to {most}; its table was measured with 12."
        )
        yield of_source("opset", Severity.ERROR, text, OPS_1, advice=f"Use opset 11 or 12. {CONVERT}")
    if target.toolkit == "rknn2" and graph.opset > rknn2.NEWEST_OPSET:
        text = f"Opset {graph.opset}: RKNN-Toolkit2 refuses what is newer than {rknn2.NEWEST_OPSET}."
        references = (RKNN2_OPSET, tried("a model of opset 20 was refused: need <= 19"))
        yield of_source("opset", Severity.ERROR, text, *references, advice=f"Use opset 12 to 19. {CONVERT}")


def old_opset(graph: Graph, target: Target) -> Iterator[Finding]:
    """Operator sets older than those that RKNN-Toolkit2 promises."""
    if target.toolkit == "rknn2" and graph.opset < rknn2.OLDEST_OPSET:
        text = f"Opset {graph.opset}: the release notes name {rknn2.OLDEST_OPSET} to {rknn2.NEWEST_OPSET}."
        notes = Reference("rknn-toolkit2 releases", "v1.6.0")
        seen = tried(
            "networks with Dropout of opset 9 were refused, others of opset 9, and some of 11, were built"
        )
        yield of_source("opset", Severity.WARNING, text, notes, seen, advice=f"Use opset 12 to 19. {CONVERT}")


def ir_version(graph: Graph, target: Target) -> Iterator[Finding]:
    """File formats that are newer than the onnx package of the toolkit."""
    if target.toolkit == "rknn1" and graph.ir_version > rknn1.SAFE_IR:
        text = (
            f"IR version {graph.ir_version}: the manuals name onnx 1.6, 1.7 and 1.10 in different places, and "
            f"what all of them read is IR {rknn1.SAFE_IR} or older."
        )
        advice = (
            "Export with an older onnx, or set model.ir_version = 7 and save it, if no newer feature is used."
        )
        yield of_source(
            "ir-version",
            Severity.WARNING,
            text,
            OPS_1,
            guide("1.4 and 2.2"),
            trouble("5.6"),
            advice=advice,
        )


def dynamic_sizes(graph: Graph, target: Target) -> Iterator[Finding]:
    """Inputs whose sizes are left open."""
    loose = [tensor.name for tensor in graph.inputs if not tensor.is_fixed]
    if not loose:
        return
    names = ", ".join(loose[:5])
    if target.toolkit == "rknn1":
        text, references = (
            f"The sizes of {names} are left open; RKNN-Toolkit 1.7 refuses that.",
            (trouble("5.6"),),
        )
        advice = "Export with fixed sizes; or name every size in the recipe, which gives them to the loader."
        yield of_source("dynamic-input", Severity.ERROR, text, *references, guide("7.3.5"), advice=advice)
    else:
        text = f"The sizes of {names} are left open: a recipe must name all of them, or the conversion is refused."
        found = tried("open sizes are refused without input_size_list, taken with it")
        references = (
            (found,)
            if target.toolkit == "rknn2"
            else (reasoned("the built-in toolkit works on fixed sizes"),)
        )
        yield of_source(
            "dynamic-input",
            Severity.WARNING,
            text,
            *references,
            advice="Give the sizes as the input's shape.",
        )


def left_out(graph: Graph, target: Target) -> Iterator[Finding]:
    """Layers that the inspection did not keep."""
    if graph.left_out:
        text = f"{graph.left_out} more layers were not looked at: the inspection keeps the first {len(graph.nodes)}."
        yield of_source("not-looked-at", Severity.NOTE, text, reasoned("the limit of the inspection"))


def dtype(graph: Graph, target: Target) -> Iterator[Finding]:
    """Data types that a chip has no fast unit for."""
    if target.toolkit == "rknn1" and target.dtype == "float" and target.platform in ("rv1126", "rv1109"):
        text = "The convolution engine of RV1109 and RV1126 has no float: every layer runs on a slower unit."
        references = (
            Reference("RKNN-Toolkit-Lite 1.7.5", "capability file of PUMA: float16_support False"),
            Reference(GUIDE_1, "4.5 and Trouble Shooting 6.3: float32 there means fp16"),
        )
        advice = "Use u8, or i16 for the layers that need it (hybrid quantization)."
        yield of_source("slow-dtype", Severity.WARNING, text, *references, advice=advice)


def no_such_build(graph: Graph, target: Target) -> Iterator[Finding]:
    """Kinds of builds that a platform refuses, whatever the network."""
    found = answer_of_case("Conv", target.platform, target.dtype) if target.toolkit == "rknn2" else None
    if found and is_refused_altogether(target.platform, target.dtype):
        text = f"A {found.dtype} build for {found.platform} was refused for every network that was tried."
        source = tried(
            f"cases 'Conv', 'Relu', 'Add' and 'MaxPool', {found.dtype} on {found.platform}", found.toolkit
        )
        yield of_source("refused-dtype", Severity.ERROR, text, source, advice="Choose a quantized data type.")


def foreign(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Operators of a domain that is not ONNX's own."""
    if node.is_standard or target.toolkit == "reference":
        return
    text = f"{node.full_op} is no operator of ONNX itself."
    if target.toolkit == "rknn2":
        found = tried("a model with an operator of an unknown domain loads, and build refuses it")
        advice = "Export without the fusions of a runtime, with ONNX's own operators only."
        yield about(node, "foreign-operator", Severity.ERROR, text, found, advice=advice)
    else:
        advice = "Export with ONNX's own operators only; own operators need register_op, on x86 Linux."
        yield about(node, "foreign-operator", Severity.ERROR, text, guide("1.1 and 7.20"), advice=advice)


def inner_graphs(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """Control flow, which the built-in toolkit leaves as it is."""
    if target.toolkit == "reference" and node.is_standard and node.op in {"If", "Loop", "Scan"}:
        text = f"What lies inside {node.op} stays in float arithmetic, and its layers are not compared."
        advice = "Where the condition is known, fold it (onnxsim) or export the branch that is needed alone."
        source = reasoned("only layers of the network's own graph are quantized and dumped")
        yield about(node, "inner-graph", Severity.WARNING, text, source, advice=advice)


ANY_FORMAT_RULES = (no_such_build, dtype, left_out)
GRAPH_RULES = (*ANY_FORMAT_RULES, opset, old_opset, ir_version, dynamic_sizes)
NODE_RULES = (foreign,)
REFERENCE_RULES = (inner_graphs,)
