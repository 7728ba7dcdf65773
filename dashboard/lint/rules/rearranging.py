"""Rules about layers of more than four dimensions, most of all PixelShuffle in its two forms."""

from collections.abc import Iterator

from dashboard.lint.facts.references import FORUM, OPS_171, compiler, reasoned, sheet, tried
from dashboard.lint.facts.rknn2 import SECTIONS
from dashboard.lint.facts.tried import answer_of_case
from dashboard.lint.findings import Finding, Reference, Severity, Target
from dashboard.lint.graph import Graph, Node
from dashboard.lint.rules.making import about
from dashboard.lint.rules.patterns import Rearrangement, effective_rank, rearrangement

NPU_RANK = 4
RULE_OF = {
    "pixel shuffle": "replace_transpose_by_deconv",
    "pixel shuffle, DCR": "replace_transpose_by_deconv",
    "DepthToSpace": "convert_depth2space_to_deconv2d",
}
UNSAFE = reasoned(
    "no document names a limit of dimensions; the driver checks one, and reports tell of errors beyond 4"
)
COST = Reference(
    "rknn-toolkit2 2.5.0",
    "the forum's network on rv1126b: 72 % of the NPU cycles that the compiler expects are in this one layer",
    "tried",
)
KEEP = (
    "Export to ONNX with nn.PixelShuffle in the network: DepthToSpace then stays one layer, slow but right in the "
    "report. Evaluate both as routes of one version, on a board."
)
SLOW = (
    "Keep this route and time the layer on a board. The .pt route is no way out: the toolkit's PyTorch loader writes "
    "PixelShuffle out with six dimensions. A ConvTranspose with weights 0 and 1 gives the same numbers (RKNN-Toolkit2 "
    "does just that)."
)


def on_rknn1(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """PixelShuffle written out, DepthToSpace, anything else of more than four dimensions."""
    found = rearrangement(node, graph)
    if found is not None:
        yield _rearranged_on_rknn1(node, found)
    elif node.op == "DepthToSpace":
        yield _depth_to_space_on_rknn1(node)
    elif node.rank > NPU_RANK and not _is_end_of_rearrangement(node, graph):
        yield beyond_four(node, f"It works on {node.rank} dimensions")


def _depth_to_space_on_rknn1(node: Node) -> Finding:
    text = (
        "The table of 1.7.5 says that PixelShuffle is not taken from ONNX, the list of 1.7.1 names DepthToSpace, and "
        "on an RV1126 a network with it came out right, but this layer was very slow."
    )
    references = (sheet("pixel_shuffle"), OPS_171, FORUM)
    return about(node, "pixel-shuffle", Severity.WARNING, text, *references, advice=SLOW)


def written_out(node: Node, what: str) -> Finding:
    """The form of a PixelShuffle that came out wrong on a board; `what` says how the layer takes this form."""
    text = (
        f"{what} On an RV1126 a network in this form was fast and its pictures were wrong; the vendor's accuracy table "
        "was the same as for the right ones."
    )
    references, other = (FORUM, sheet("pixel_shuffle")), "ONNX with DepthToSpace"
    return about(node, "pixel-shuffle", Severity.WARNING, text, *references, advice=KEEP, other_route=other)


def beyond_four(node: Node, does: str) -> Finding:
    """A layer of too many dimensions for this NPU's driver; `does` says what it does with how many."""
    text = f"{does}; what is beyond four is unsafe on this NPU's driver."
    advice = "Keep tensors at four dimensions or fewer, and compare this layer on the board first."
    return about(node, "rank-over-4", Severity.WARNING, text, UNSAFE, FORUM, advice=advice)


def _rearranged_on_rknn1(node: Node, found: Rearrangement) -> Finding:
    if found.kind.startswith("pixel shuffle"):
        return written_out(node, "A PixelShuffle written out as Reshape, 6-D Transpose, Reshape.")
    kind = f"A {found.kind}" if found.kind else "A rearrangement"
    return beyond_four(node, f"{kind} by a Transpose of {node.rank} dimensions")


def on_rknn2(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """What the toolkit makes of PixelShuffle and its relatives, and what stays beyond four dimensions."""
    found = rearrangement(node, graph)
    if (
        found is not None
        and _is_tried(found)
        and (said := rewritten(node, f"Transpose: {found.kind}", target))
    ):
        yield said
    elif node.op == "DepthToSpace":
        said = rewritten(node, f"DepthToSpace: {node.attributes.get('mode', 'DCR')}", target)
        yield from [said] if said else []
    elif node.op == "Transpose" and node.rank > NPU_RANK:
        yield from _stays(node)
    elif node.rank > NPU_RANK and node.op not in ("Reshape", "Conv", "AveragePool"):
        text = f"It works on {node.rank} dimensions; the NPU's operators are described for four."
        section = SECTIONS.get(target.platform, "3")
        yield about(node, "rank-over-4", Severity.NOTE, text, compiler(section))


def _is_tried(found: Rearrangement) -> bool:
    """A channel shuffle was tried right behind a convolution only, which takes it over."""
    return bool(found.kind) and (found.after_conv or found.kind != "channel shuffle")


def rewritten(node: Node, case: str, target: Target, *more: Reference) -> Finding | None:
    """A note of what the toolkit builds instead, as tried on this platform; None where that was not tried."""
    found = answer_of_case(case, target.platform, target.dtype)
    if found is None or not found.is_built or not found.layers:
        return None
    kind = case.removeprefix("Transpose: ") if case.startswith("Transpose") else node.op
    layers = [f"{op} on the {unit}" for op, unit in found.layers if case.startswith("Depth") or op != "Conv"]
    built = ", ".join(layers) or "nothing of its own: the convolution before it does it"
    rule = RULE_OF.get(kind, "")
    gone = "" if node.op != "Transpose" else " The Transpose has no row of its own in tables and dumps."
    name = kind if kind == node.op else f"The {kind}"
    text = f"{name} becomes {built}{f' (rule {rule})' if rule else ''}.{gone}"
    severity = Severity.WARNING if found.on_cpu else Severity.NOTE
    references = [tried(f"case '{case}', {found.dtype} on {found.platform}", found.toolkit), *more]
    advice = ""
    if "ConvTranspose" in built:
        references.append(COST)
        advice = "Both forms of a PixelShuffle become the same layer: the other one is not faster. Time it on a board."
    return about(node, "rewritten", severity, text, *references, advice=advice)


def _stays(node: Node) -> Iterator[Finding]:
    """A Transpose that may stay beyond four dimensions: then it goes to the CPU, without a word."""
    shape, perm = node.input_shape(), node.numbers("perm")
    if shape is None or len(perm) != len(shape) or not all(0 <= axis < len(shape) for axis in perm):
        return
    left = effective_rank(shape, perm)
    if left > NPU_RANK:
        axes = ", ".join(f"{axis:g}" for axis in perm)
        text = f"Transpose [{axes}]: {left} dimensions are left after joining neighbours; one like it ran on the CPU."
        references = (tried("case 'Transpose: 6 dimensions that stay': Target CPU, without a warning"),)
        advice = "Split it into Transposes of four dimensions, and look at the layer table of a build."
        yield about(node, "cpu-layer", Severity.WARNING, text, *references, advice=advice)


def _is_end_of_rearrangement(node: Node, graph: Graph) -> bool:
    """Whether this Reshape is the first or the last of a rearrangement, which is told at its Transpose."""
    if node.op != "Reshape":
        return False
    before = graph.before(node)
    near = [*graph.after(node), *([before] if before else [])]
    return any(other.op == "Transpose" and rearrangement(other, graph) is not None for other in near)


def space_to_depth(node: Node, graph: Graph, target: Target) -> Iterator[Finding]:
    """SpaceToDepth goes to the CPU where its form written out stays on the NPU."""
    if node.op != "SpaceToDepth":
        return
    alone = answer_of_case("SpaceToDepth", target.platform, target.dtype)
    written = answer_of_case("Transpose: pixel unshuffle", target.platform, target.dtype)
    if alone and alone.on_cpu and written and written.is_built and not written.on_cpu:
        layers = ", ".join(op for op, _ in written.layers if op != "Conv")
        text = f"Written out as Reshape, 6-D Transpose, Reshape it stays on the NPU ({layers})."
        source = tried(f"cases 'SpaceToDepth' and '{written.case}' on {written.platform}", written.toolkit)
        yield about(
            node,
            "other-form",
            Severity.NOTE,
            text,
            source,
            advice="Export that form as another route and compare.",
        )


RKNN1_RULES = (on_rknn1,)
RKNN2_RULES = (on_rknn2, space_to_depth)
