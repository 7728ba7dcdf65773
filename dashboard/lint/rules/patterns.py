"""Groups of layers that mean one thing: PixelShuffle written out, GELU, Mish, a layer normalisation."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.lint.graph import Graph, Node, Size

# what a Reshape, Transpose, Reshape says, by the axes of the Transpose
KNOWN = {
    (0, 1, 4, 2, 5, 3): "pixel shuffle",
    (0, 3, 4, 1, 5, 2): "pixel shuffle, DCR",
    (0, 1, 3, 5, 2, 4): "pixel unshuffle",
    (0, 3, 5, 1, 2, 4): "pixel unshuffle, DCR",
    (0, 2, 1, 3, 4): "channel shuffle",
}


@dataclass(frozen=True)
class Rearrangement:
    """Reshape, Transpose, Reshape of which the middle has more than four dimensions."""

    kind: str
    first: Node
    middle: Node
    last: Node
    after_conv: bool

    @property
    def layers(self) -> tuple[Node, Node, Node]:
        return (self.first, self.middle, self.last)


def rearrangement(node: Node, graph: Graph) -> Rearrangement | None:
    """The rearrangement whose Transpose this is; `kind` is "" when the axes mean nothing known."""
    if node.op != "Transpose" or node.rank <= 4:
        return None
    first, users = graph.before(node), graph.after(node)
    if first is None or first.op != "Reshape" or len(users) != 1 or users[0].op != "Reshape":
        return None
    axes = tuple(int(axis) for axis in node.numbers("perm"))
    maker = graph.before(first)
    fits = (first.input(0), users[0].outputs[0] if users[0].outputs else None)
    is_picture = all(tensor is not None and tensor.rank == 4 for tensor in fits)
    kind = KNOWN.get(axes, "") if is_picture and _has_blocks(axes, node.input_shape()) else ""
    return Rearrangement(kind, first, node, users[0], maker is not None and maker.op == "Conv")


def _has_blocks(axes: Sequence[int], shape: tuple[Size, ...] | None) -> bool:
    """Whether both sides of the blocks are equal, as in a PixelShuffle; a channel shuffle has none."""
    places = {"s": (2, 3), "d": (1, 2), "u": (3, 5)}
    kind = KNOWN.get(tuple(axes), "")
    if not kind or kind == "channel shuffle" or shape is None:
        return bool(kind)
    key = "u" if "unshuffle" in kind else "d" if "DCR" in kind else "s"
    one, other = (shape[place] for place in places[key])
    return one == other


def effective_rank(shape: Sequence[Size], perm: Sequence[float]) -> int:
    """How many dimensions a Transpose really has: sides of length 1 and neighbours that stay together are one."""
    axes = [int(axis) for axis in perm if shape[int(axis)] != 1]
    order = {axis: number for number, axis in enumerate(sorted(axes))}
    numbers = [order[axis] for axis in axes]
    return sum(1 for at, axis in enumerate(numbers) if at == 0 or axis != numbers[at - 1] + 1) or 1


def is_gelu(node: Node, graph: Graph) -> bool:
    """Whether this Erf is the middle of a GELU as exporters write it: Div or Mul, Erf, Add, Mul."""
    before, after = graph.before(node), graph.after(node)
    adds = [user for user in after if user.op == "Add"]
    return (
        node.op == "Erf"
        and before is not None
        and before.op in ("Div", "Mul")
        and any(next_one.op == "Mul" for add in adds for next_one in graph.after(add))
    )


def is_mish(node: Node, graph: Graph) -> bool:
    """Whether this Softplus is the beginning of a Mish: Softplus, Tanh, Mul."""
    return node.op == "Softplus" and any(
        after.op == "Mul" for tanh in graph.after(node) if tanh.op == "Tanh" for after in graph.after(tanh)
    )


def is_of_layer_norm(node: Node, graph: Graph) -> bool:
    """Whether this ReduceMean belongs to a layer normalisation written out: ReduceMean, Sub, Pow, ReduceMean."""
    taken, before = node.input(0), graph.before(node)
    if node.op != "ReduceMean" or taken is None:
        return False
    is_first = any(user.op == "Sub" and taken in user.inputs for user in graph.after(node))
    squared = before if before and (before.op == "Pow" or _is_square(before)) else None
    below = graph.before(squared) if squared else None
    return is_first or (below is not None and below.op == "Sub")


def _is_square(node: Node) -> bool:
    return node.op == "Mul" and node.input(0) == node.input(1)


def is_swish(node: Node, graph: Graph) -> bool:
    """Whether this Sigmoid is multiplied with its own input: SiLU, also called Swish."""
    taken = node.input(0)
    return node.op == "Sigmoid" and any(
        user.op == "Mul" and taken is not None and taken.name in {t.name for t in user.inputs if t}
        for user in graph.after(node)
    )


def is_inside_layer_norm(node: Node, graph: Graph) -> bool:
    """Whether this Pow or Sqrt belongs to a layer normalisation written out."""
    before = graph.before(node)
    if node.op == "Pow":
        return any(is_of_layer_norm(user, graph) for user in graph.after(node))
    if node.op == "Sqrt" and before is not None and before.op == "Add":
        mean = graph.before(before) or graph.before(before, 1)
        return mean is not None and is_of_layer_norm(mean, graph)
    return False
