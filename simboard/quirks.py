"""Declared faults of the simulated NPU, as rewrites of the graph that it loads.

`transpose-over-4d` rehearses a board that returns a wrong picture while every layer's table looks right:
transposes of more than four dimensions move the right numbers to the wrong places.
"""

from collections.abc import Callable, Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

from simboard import folder

MOST_DIMENSIONS = 4


def transpose_over_4d(model: onnx.ModelProto) -> None:
    """Execute each Transpose of more than four dimensions with the last two entries of `perm` exchanged.

    The result is then read in the shape that was declared: the same numbers in another order.
    """
    _spell_out_orders(model)
    nodes = [piece for node in model.graph.node for piece in _disturbed(model, node)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _spell_out_orders(model: onnx.ModelProto) -> None:
    """Give each Transpose without `perm` the one it means: all axes reversed."""
    silent = [node for node in model.graph.node if node.op_type == "Transpose" and not node.attribute]
    if not silent:
        return
    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = (*inferred.value_info, *inferred.input, *inferred.output)
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in values}
    for node in silent:
        rank = ranks.get(node.input[0], 0) or ranks.get(node.output[0], 0)
        node.attribute.append(helper.make_attribute("perm", list(reversed(range(rank)))))


def _disturbed(model: onnx.ModelProto, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    perm = next((list(a.ints) for a in node.attribute if a.name == "perm"), [])
    if node.op_type != "Transpose" or len(perm) <= MOST_DIMENSIONS:
        yield node
        return
    name, source, result = node.name, node.input[0], node.output[0]
    order = numpy_helper.from_array(np.array(perm, dtype=np.int64), f"{name}/perm")
    model.graph.initializer.append(order)
    wrong = [*perm[:-2], perm[-1], perm[-2]]
    yield helper.make_node("Transpose", [source], [f"{result}/moved"], name=name, perm=wrong)
    yield helper.make_node("Shape", [source], [f"{result}/shape"], name=f"{name}/shape")
    yield helper.make_node(
        "Gather", [f"{result}/shape", order.name], [f"{result}/declared"], name=f"{name}/declared"
    )
    yield helper.make_node(
        "Reshape", [f"{result}/moved", f"{result}/declared"], [result], name=f"{name}/reread"
    )


QUIRKS: dict[str, Callable[[onnx.ModelProto], None]] = {"transpose-over-4d": transpose_over_4d}
assert tuple(QUIRKS) == folder.QUIRKS


def apply(names: list[str], model: onnx.ModelProto) -> None:
    """Give the graph the named faults, in place. Raises KeyError with the name of an unknown one."""
    for name in names:
        QUIRKS[name](model)
