"""Opening an ONNX file that somebody uploaded: every reason to refuse it is found before anything large is
done with it."""

from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from workers.toolkits.onnxjob.jobside import Refused

EXPANDED_NODES = 200_000
DEPTH = 50
STANDARD_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
RUNTIME_DOMAINS = ("com.microsoft", "com.ms.internal.nhwc")


def read_model(path: Path) -> onnx.ModelProto:
    """The model in `path`, weights included. Raises Refused model:* (empty, not-onnx, external-data,
    too-complex, unsupported-operator, invalid)."""
    data = path.read_bytes()
    if not data:
        raise Refused("model:empty", "The file holds no bytes.")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RuntimeError) as error:
        raise _not_onnx(data, str(error)) from error
    if not model.ir_version or not model.HasField("graph"):
        raise _not_onnx(data, "it holds no graph.")
    try:
        refuse_unstorable_names(model)
        refuse_external_data(model)
        refuse_explosive_functions(model)
        refuse_unknown_operators(model)
    except (TypeError, UnicodeDecodeError) as error:
        # protobuf hands out bytes where a name is not UTF-8.
        raise Refused("model:not-onnx", f"A name in it is not text: {error}"[:500]) from error
    version = model.ir_version
    _forgive_missing_inputs(model)
    check(model, data if model.ir_version == version else None)
    return model


def _not_onnx(data: bytes, why: str) -> Refused:
    return Refused("model:not-onnx", f"{len(data)} bytes that do not parse: {why}")


def all_graphs(graph: onnx.GraphProto, depth: int = 0) -> Iterator[onnx.GraphProto]:
    """`graph` and every graph inside the attributes of its nodes."""
    if depth > DEPTH:
        raise Refused("model:too-complex", f"Graphs lie more than {DEPTH} deep inside each other.")
    yield graph
    for node in graph.node:
        for inner in subgraphs(node):
            yield from all_graphs(inner, depth + 1)


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that `node` holds as attributes (If, Loop, Scan)."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == onnx.AttributeProto.GRAPHS:
            yield from attribute.graphs


def refuse_unstorable_names(model: onnx.ModelProto) -> None:
    """Names with NUL characters: no database and no C library takes them."""
    names = [model.producer_name, model.producer_version, model.domain]
    for graph in _every_graph(model):
        names += [graph.name, *(value.name for value in (*graph.input, *graph.output, *graph.initializer))]
        for node in graph.node:
            names += [node.name, node.op_type, node.domain, *node.input, *node.output]
    if bad := next((name for name in names if "\0" in name), None):
        raise Refused("model:invalid", f"The name {bad[:60]!r} holds a NUL character.")


def refuse_external_data(model: onnx.ModelProto) -> None:
    """Weights in other files are refused, wherever they would lie: the upload is one file, and `..` must
    never be followed."""
    for graph in _every_graph(model):
        for tensor in _tensors(graph):
            if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
                where = next((entry.value for entry in tensor.external_data if entry.key == "location"), "?")
                raise Refused("model:external-data", f"Tensor {tensor.name!r} lies in {where!r}.")


def _every_graph(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    yield from all_graphs(model.graph)
    for function in model.functions:
        yield from all_graphs(onnx.GraphProto(name=function.name, node=function.node))
    for training in model.training_info:
        yield from all_graphs(training.initialization)
        yield from all_graphs(training.algorithm)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield sparse.values
                yield sparse.indices


def refuse_explosive_functions(model: onnx.ModelProto) -> None:
    """Bound the number of nodes after all model-local functions would be expanded.

    A file of 2 KB can hold a chain of functions that each call the previous one twice; inference and
    inlining then take time that doubles with every link. Sizes are added up function by function, so
    counting takes one look at each node.
    """
    bodies = {(function.domain, function.name): list(function.node) for function in model.functions}
    sizes: dict[tuple[str, str], int] = {}
    open_calls: set[tuple[str, str]] = set()

    def size_of(nodes: list[onnx.NodeProto], depth: int) -> int:
        if depth > DEPTH * 4:
            raise Refused("model:too-complex", "Model-local functions call each other too deeply.")
        total = 0
        for node in nodes:
            inner = [size_of(list(graph.node), depth + 1) for graph in subgraphs(node)]
            total += 1 + sum(inner) + called((node.domain, node.op_type), depth)
        return total

    def called(name: tuple[str, str], depth: int) -> int:
        if name not in bodies:
            return 0
        if name in open_calls:
            raise Refused("model:invalid", f"Function {name[1]!r} calls itself.")
        if name not in sizes:
            open_calls.add(name)
            sizes[name] = size_of(bodies[name], depth + 1)
            open_calls.remove(name)
        return sizes[name]

    if bodies:
        total = max([size_of(list(model.graph.node), 0), *(called(name, 0) for name in bodies)])
        if total > EXPANDED_NODES:
            raise Refused(
                "model:too-complex",
                f"Expanded, its model-local functions have more than {EXPANDED_NODES} nodes.",
            )


def refuse_unknown_operators(model: onnx.ModelProto) -> None:
    """Every operator must be declared by ONNX at the model's opset, by the model itself, or by the runtime's
    own domain."""
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    local = {(function.domain, function.name) for function in model.functions}
    for graph in _every_graph(model):
        for node in graph.node:
            if (node.domain, node.op_type) in local or node.domain in RUNTIME_DOMAINS:
                continue
            domain = "" if node.domain == "ai.onnx" else node.domain
            version = opsets.get(domain, opsets.get("ai.onnx", 1) if domain == "" else 1)
            if domain not in STANDARD_DOMAINS or not _is_declared(node.op_type, version, domain):
                name = f"{node.domain}:{node.op_type}" if node.domain else node.op_type
                raise Refused(
                    "model:unsupported-operator", f"{name} (node {node.name or '?'!r}, opset {version})"
                )


def _is_declared(operator: str, version: int, domain: str) -> bool:
    try:
        onnx.defs.get_schema(operator, version, domain)
    except onnx.defs.SchemaError:
        return False
    return True


def _forgive_missing_inputs(model: onnx.ModelProto) -> None:
    """Before IR version 4 an initializer had to be an input as well. Runtimes never minded, and from 4 on it
    need not be."""
    listed = {value.name for value in model.graph.input}
    if model.ir_version < 4 and any(tensor.name not in listed for tensor in model.graph.initializer):
        model.ir_version = 4


def check(model: onnx.ModelProto, data: bytes | None = None) -> None:
    """onnx's own checker, without shape inference. An input or output whose rank is not said is no fault: the
    recipe or an execution tells it. `data` is the model's file where it was not changed: writing it anew costs more
    than the check."""
    ends = [value.type for value in (*model.graph.input, *model.graph.output)]
    unsaid = [
        t.tensor_type for t in ends if t.HasField("tensor_type") and not t.tensor_type.HasField("shape")
    ]
    for tensor in unsaid:
        tensor.shape.SetInParent()
    try:
        _check_strictly(model if unsaid or data is None else data)
    finally:
        for tensor in unsaid:
            tensor.ClearField("shape")


def _check_strictly(model: onnx.ModelProto | bytes) -> None:
    try:
        onnx.checker.check_model(model, full_check=False)
    except onnx.checker.ValidationError as error:
        raise Refused("model:invalid", str(error)) from error
    except (ValueError, RuntimeError) as error:
        raise Refused("model:invalid", str(error)) from error


def runtime_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The graph's real inputs: those that no initializer fills."""
    filled = {tensor.name for tensor in graph.initializer} | {s.values.name for s in graph.sparse_initializer}
    return [value for value in graph.input if value.name not in filled]


def declared_shape(value: onnx.ValueInfoProto) -> list[int | str | None] | None:
    """Sizes of `value`: a number, the name of a symbol, or None for an unknown one; None when even the rank
    is unknown."""
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    sizes: list[int | str | None] = []
    for dimension in value.type.tensor_type.shape.dim:
        if dimension.HasField("dim_value") and dimension.dim_value >= 0:
            sizes.append(dimension.dim_value)
        else:
            sizes.append(dimension.dim_param or None)
    return sizes
