"""The source graph made ready for measuring: sizes fixed, every node named, constants as initializers; and
what flows in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import numpy_helper, version_converter

from workers.toolkits.onnxjob.jobside import Refused, log
from workers.toolkits.onnxjob.modelfile import declared_shape, runtime_inputs, subgraphs

OLDEST_OPSET = 11
UPGRADE_TO = 13
MAX_ELEMENTS = 1 << 31
SHAPE_READERS = ("Shape", "Size")
FED = frozenset(  # what a samples file holds
    getattr(onnx.TensorProto, kind)
    for kind in "FLOAT DOUBLE FLOAT16 UINT8 INT8 UINT16 INT16 UINT32 INT32 UINT64 INT64 BOOL".split()  # noqa: SIM905
)
RANDOM = frozenset(
    ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")
)


@dataclass(frozen=True)
class Input:
    """A graph input: its shape and numpy type name as the graph takes them."""

    name: str
    shape: tuple[int, ...]
    dtype: str


def prepare(
    model: onnx.ModelProto, shapes: Mapping[str, list[int] | None]
) -> tuple[onnx.ModelProto, list[Input]]:
    """A copy of `model` with fixed input sizes, opset >= 11, unique node names and constants as
    initializers; and its inputs.

    Opsets below 11 cannot hold asymmetric QuantizeLinear pairs with today's operators, so they are upgraded
    to 13 by onnx; 11 and above stay as they are. Raises Refused model:dynamic-input,
    model:unsupported-input, recipe:invalid or model:unsupported-operator.
    """
    ready = onnx.ModelProto()
    ready.CopyFrom(model)
    inputs = _fix_sizes(ready.graph, shapes)
    _forget_old_shapes(ready.graph)
    _drop_filled_inputs(ready)
    ready = _upgrade(ready)
    _drop_dead_nodes(ready.graph)
    _name_nodes(ready.graph)
    _constants_to_initializers(ready.graph)
    _dropouts_to_identity(ready.graph)
    _seed_random_nodes(ready.graph)
    return ready, inputs


def _fix_sizes(graph: onnx.GraphProto, shapes: Mapping[str, list[int] | None]) -> list[Input]:
    inputs = runtime_inputs(graph)
    unknown = set(shapes) - {value.name for value in inputs}
    if unknown:
        raise Refused(
            "recipe:invalid",
            f"The recipe names inputs that the model does not have: {', '.join(sorted(unknown))}.",
        )
    return [_fixed(value, shapes.get(value.name)) for value in inputs]


def _fixed(value: onnx.ValueInfoProto, wanted: list[int] | None) -> Input:
    if not value.type.HasField("tensor_type"):
        kind = value.type.WhichOneof("value") or "type that is not said"
        raise Refused("model:unsupported-input", f"Input {value.name!r} is a {kind.removesuffix('_type')}.")
    declared = declared_shape(value)
    sizes = _merged(value.name, declared, wanted)
    tensor = value.type.tensor_type
    tensor.shape.ClearField("dim")
    for size in sizes:
        tensor.shape.dim.add().dim_value = size
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    except KeyError as error:
        raise Refused("model:invalid", f"Input {value.name!r} has no known type.") from error
    if tensor.elem_type not in FED:
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        raise Refused("model:unsupported-input", f"Input {value.name!r} is a tensor of {kind}.")
    return Input(value.name, tuple(sizes), dtype)


def _merged(name: str, declared: list[int | str | None] | None, wanted: list[int] | None) -> list[int]:
    if wanted is None:
        if declared is None or not all(isinstance(size, int) for size in declared):
            shown = (
                "unknown" if declared is None else [size if size is not None else "?" for size in declared]
            )
            raise Refused("model:dynamic-input", f"Input {name!r} has shape {shown}.")
        sizes = [size for size in declared if isinstance(size, int)]
        if 0 in sizes:
            raise Refused("model:unsupported-input", f"Input {name!r} has shape {sizes}: it holds nothing.")
    else:
        sizes = wanted
    total = 1
    for size in sizes:
        if type(size) is not int or size < 1:
            raise Refused("recipe:invalid", f"Input {name!r}: {size!r} is no size.")
        total *= size
    if total > MAX_ELEMENTS:
        raise Refused("recipe:invalid", f"Input {name!r} would have {total} elements.")
    if declared is not None:
        fits = len(declared) == len(sizes)
        if not fits or any(isinstance(d, int) and d != s for d, s in zip(declared, sizes, strict=False)):
            raise Refused("recipe:invalid", f"Input {name!r}: the recipe says {sizes}, the model {declared}.")
    return sizes


def _forget_old_shapes(graph: onnx.GraphProto) -> None:
    """Shapes written at export may contradict the fixed input sizes; the runtime infers them anew."""
    del graph.value_info[:]
    for value in graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")


def _drop_filled_inputs(model: onnx.ModelProto) -> None:
    """Before IR version 4 every initializer had to be an input too; then it could be overridden and would
    not count as constant."""
    real = runtime_inputs(model.graph)
    if len(real) != len(model.graph.input):
        kept = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in real]
        del model.graph.input[:]
        model.graph.input.extend(kept)
    model.ir_version = max(model.ir_version, 7)


def _upgrade(model: onnx.ModelProto) -> onnx.ModelProto:
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if not opset and all(node.domain not in ("", "ai.onnx") for node in model.graph.node):
        model.opset_import.add(domain="", version=UPGRADE_TO)  # For what quantization adds.
        return model
    if opset >= OLDEST_OPSET:
        return model
    try:
        upgraded = version_converter.convert_version(model, UPGRADE_TO)
    except Exception as error:
        raise Refused(
            "model:unsupported-version", f"Opset {opset} could not be upgraded to {UPGRADE_TO}: {error}"
        ) from error
    log(f"Upgraded from opset {opset} to {UPGRADE_TO}.")
    upgraded.ir_version = max(upgraded.ir_version, 7)
    return upgraded


def _drop_dead_nodes(graph: onnx.GraphProto) -> None:
    """Nodes that lead to no output are no layers: every compiler leaves them out."""
    needed = {value.name for value in graph.output}
    alive = []
    for node in reversed(graph.node):
        if needed.intersection(name for name in node.output if name):
            alive.append(node)
            needed.update(_used(node))
    if len(alive) < len(graph.node):
        log(f"{len(graph.node) - len(alive)} nodes lead to no output and are left out.")
        _replace_nodes(graph, reversed(alive))


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Nodes without a name of their own are called like their first output, which is unique in a graph."""
    seen: set[str] = set()
    for node in graph.node:
        if not node.name or node.name in seen:
            node.name = next((name for name in node.output if name), "") or f"{node.op_type}#{len(seen)}"
        while node.name in seen:
            node.name += "'"
        seen.add(node.name)


def _constants_to_initializers(graph: onnx.GraphProto) -> None:
    kept = []
    for node in graph.node:
        tensor = _constant(node)
        if tensor is None:
            kept.append(node)
        else:
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
    _replace_nodes(graph, kept)


def _constant(node: onnx.NodeProto) -> onnx.TensorProto | None:
    if node.op_type != "Constant" or node.domain not in ("", "ai.onnx") or len(node.attribute) != 1:
        return None
    attribute = node.attribute[0]
    tensor = onnx.TensorProto()
    if attribute.name == "value":
        tensor.CopyFrom(attribute.t)
        return tensor
    kinds: dict[str, Any] = {
        "value_float": "float32",
        "value_floats": "float32",
        "value_int": "int64",
        "value_ints": "int64",
    }
    if attribute.name not in kinds:
        return None  # Texts and sparse tensors stay nodes.
    import numpy as np

    return numpy_helper.from_array(
        np.array(onnx.helper.get_attribute_value(attribute), dtype=kinds[attribute.name])
    )


def sort_nodes(graph: onnx.GraphProto) -> None:
    """Put every node behind the nodes that feed it, as ONNX demands, and otherwise change the order little.

    Raises Refused toolkit:own-fault for a ring of nodes, which no sound rewrite of a sound graph leaves.
    """
    nodes = list(graph.node)
    makers = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    feeds = [[makers[name] for name in _used(node) if name in makers] for node in nodes]
    longest = 1 + sum(map(len, feeds))  # of a way back without a ring
    done: dict[int, None] = {}
    for index in range(len(nodes)):
        pending = [index]
        while pending:
            waiting = [before for before in feeds[pending[-1]] if before not in done]
            if len(pending) > longest:
                raise Refused(
                    "toolkit:own-fault", f"Its rewrite feeds node {nodes[index].name!r} with itself."
                )
            if waiting:
                pending += reversed(waiting)
            else:
                done[pending.pop()] = None
    _replace_nodes(graph, [nodes[index] for index in done])


def _used(node: onnx.NodeProto) -> list[str]:
    """Names of the tensors that `node` reads, also inside its graphs."""
    return [*node.input, *sorted(name for inner in subgraphs(node) for name in _captured(inner))]


def _replace_nodes(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> None:
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _dropouts_to_identity(graph: onnx.GraphProto) -> None:
    """At inference a dropout hands its input on; as an Identity it can be quantized and fused like one.

    One that was exported in training mode is no different: no board draws random numbers.
    """
    used = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    for node in graph.node:
        if node.op_type == "Dropout" and not used & set(node.output[1:]):
            if len(node.input) > 2:
                log(f"{node.name} was exported in training mode; it is taken as in inference.")
            node.op_type = "Identity"
            del node.input[1:], node.output[1:], node.attribute[:]


def _seed_random_nodes(graph: onnx.GraphProto) -> None:
    """Random nodes draw the same numbers in every execution of every rung; else nothing could be compared."""
    for node in graph.node:
        if node.op_type in RANDOM and all(attribute.name != "seed" for attribute in node.attribute):
            node.attribute.append(onnx.helper.make_attribute("seed", 1.0))


def captured_names(graph: onnx.GraphProto) -> set[str]:
    """Tensors of the main graph that graphs inside nodes use by name."""
    names: set[str] = set()
    pending = [inner for node in graph.node for inner in subgraphs(node)]
    while pending:
        inner = pending.pop()
        names |= {name for node in inner.node for name in node.input} | {value.name for value in inner.output}
        pending += [deeper for node in inner.node for deeper in subgraphs(node)]
    return names


def flowing_tensors(graph: onnx.GraphProto) -> list[str]:
    """Names of the main graph's tensors whose *values* depend on an input, in execution order, inputs first.

    What is computed from shapes alone is constant once the sizes are fixed, and no layer.
    """
    flowing = dict.fromkeys(value.name for value in graph.input)
    for node in graph.node:
        used = set(node.input) | {name for inner in subgraphs(node) for name in _captured(inner)}
        if node.op_type not in SHAPE_READERS and any(name in flowing for name in used if name):
            flowing |= dict.fromkeys(name for name in node.output if name)
    return list(flowing)


def _captured(graph: onnx.GraphProto) -> set[str]:
    wrapper = onnx.GraphProto()
    holder = wrapper.node.add()
    attribute = holder.attribute.add(name="body", type=onnx.AttributeProto.GRAPH)
    attribute.g.CopyFrom(graph)
    return captured_names(wrapper)
