"""Running a graph and looking at tensors inside it, in groups, so that memory has a bound.

One group of outputs is fetched per execution. A group's outputs take at most GROUP_BYTES, or one tensor if
that alone is larger; so beside what ONNX Runtime needs for the execution itself, the memory held is at most
max(GROUP_BYTES, largest tensor), and while a tensor is being turned into another type, once more that
tensor.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from workers.toolkits.onnxjob.jobside import Refused

GROUP_BYTES = 256 << 20
ITEM_BYTES = {"tensor(float)": 4, "tensor(float16)": 2, "tensor(double)": 8, "tensor(uint8)": 1}
UNKNOWN_OPERATOR = re.compile(
    r"(?P<a>[\w.]*:?\w+)\(-?\d+\) is not a registered function|No Op registered for (?P<b>\w+)"
    r"|Could not find an implementation for (?P<c>[\w.]*:?\w+)"
)
Array = NDArray[Any]

NOT_EXECUTABLE = "model:not-executable"  # of the source
OWN_FAULT = "toolkit:own-fault"  # of what a toolkit made of it

ort.set_default_logger_severity(4)


@dataclass(frozen=True)
class Observed:
    """A tensor inside a graph: ONNX Runtime's type name for it and its shape."""

    name: str
    type: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * ITEM_BYTES[self.type]


@contextmanager
def blamed(code: str) -> Iterator[None]:
    """Within it, what ONNX Runtime refuses for no reason that has a code of its own ends as `code`."""
    try:
        yield
    except Refused as refused:
        if refused.code != "toolkit:failed":
            raise
        raise Refused(code, refused.detail) from refused


def session(model: onnx.ModelProto, outputs: Iterable[str] = ()) -> ort.InferenceSession:
    """A session without graph optimizations, so that every tensor is what the graph says. `outputs` are
    added to the graph's own.

    Raises Refused model:unsupported-operator or toolkit:failed.
    """
    have = {value.name for value in model.graph.output}
    extra = [onnx.ValueInfoProto(name=name) for name in outputs if name not in have]
    count = len(model.graph.output)
    model.graph.output.extend(extra)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_cpu_mem_arena = False  # An arena keeps what it once needed; the next group needs it, too.
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _refusal(str(error)) from error
    finally:
        del model.graph.output[count:]


def _refusal(text: str) -> Refused:
    unknown = UNKNOWN_OPERATOR.search(text)
    if unknown:
        name = next(group for group in unknown.groups() if group)
        return Refused("model:unsupported-operator", f"{name}: {text[:500]}")
    return Refused("toolkit:failed", text[:2000])


def execute(running: ort.InferenceSession, names: Sequence[str], feed: Mapping[str, Array]) -> list[Array]:
    """Values of `names` for `feed`. Raises Refused toolkit:failed with ONNX Runtime's words."""
    try:
        values: list[Array] = running.run(list(names), dict(feed))
    except Exception as error:
        if "Failed to allocate" in str(error) or "bad_alloc" in str(error):
            raise MemoryError(str(error)[:500]) from error
        raise Refused("toolkit:failed", str(error)[:2000]) from error
    return values


def observe(model: onnx.ModelProto, names: Sequence[str], feed: Mapping[str, Array]) -> dict[str, Observed]:
    """The floating-point tensors among `names` with their shapes.

    Shapes that ONNX Runtime cannot infer are measured by one execution on `feed`. Integer, bool and text
    tensors and sequences are left out: they are indices, shapes and masks, which have no similarity.
    """
    running = session(model, names)
    found = {
        node.name: node
        for node in running.get_outputs()
        if node.type in ITEM_BYTES and node.type != "tensor(uint8)"
    }
    fixed = {name: _known_shape(found[name].shape) for name in names if name in found}
    unknown = [name for name, shape in fixed.items() if shape is None]
    measured = _measure(model, unknown, feed) if unknown else {}
    return {
        name: Observed(name, found[name].type, shape if shape is not None else measured[name])
        for name, shape in fixed.items()
    }


def declare_output_shapes(
    model: onnx.ModelProto, observed: Mapping[str, Observed], feed: Mapping[str, Array]
) -> None:
    """Write the shape of every graph output into `model`, as a valid file needs it; unknown ones are measured."""
    tensors = [value for value in model.graph.output if value.type.HasField("tensor_type")]
    unknown = [value.name for value in tensors if value.name not in observed]
    measured = _measure(model, unknown, feed) if unknown else {}
    for value in tensors:
        shape = observed[value.name].shape if value.name in observed else measured[value.name]
        value.type.tensor_type.ClearField("shape")
        value.type.tensor_type.shape.SetInParent()  # A scalar has a shape, too.
        for size in shape:
            value.type.tensor_type.shape.dim.add().dim_value = size


def _known_shape(shape: Sequence[Any]) -> tuple[int, ...] | None:
    """The inferred sizes, or None: ONNX Runtime says [] of a scalar and of a tensor whose rank it does not
    know."""
    return tuple(shape) if shape and all(isinstance(size, int) for size in shape) else None


def _measure(
    model: onnx.ModelProto, names: Sequence[str], feed: Mapping[str, Array]
) -> dict[str, tuple[int, ...]]:
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    shapes = [f"{name}/layerwise-shape" for name in names]
    for name, shape in zip(names, shapes, strict=True):
        probe.graph.node.add(op_type="Shape", input=[name], output=[shape], name=shape)
    values = execute(session(probe, shapes), shapes, feed)
    return {name: tuple(int(size) for size in value) for name, value in zip(names, values, strict=True)}


def groups(tensors: Iterable[Observed], most: int = GROUP_BYTES) -> list[list[Observed]]:
    """`tensors` in order, cut into groups of at most `most` bytes and at least one tensor each."""
    cut: list[list[Observed]] = []
    room = -1
    for tensor in tensors:
        if tensor.nbytes > room:
            cut.append([])
            room = most
        cut[-1].append(tensor)
        room -= tensor.nbytes
    return cut


def stream(
    model: onnx.ModelProto, tensors: Sequence[Observed], feed: Mapping[str, Array]
) -> Iterator[tuple[Observed, Array]]:
    """Each of `tensors` with its value for `feed`, in order, group by group."""
    for group in groups(tensors):
        names = [tensor.name for tensor in group if tensor.name not in feed]
        values = dict(zip(names, execute(session(model, names), names, feed), strict=True)) if names else {}
        for tensor in group:
            yield tensor, values.pop(tensor.name) if tensor.name in values else feed[tensor.name]


def storable(value: Array) -> Array:
    """`value` in a type that a dump may hold: float64 becomes float32, the rest stays."""
    return value.astype(np.float32) if value.dtype == np.float64 else value
