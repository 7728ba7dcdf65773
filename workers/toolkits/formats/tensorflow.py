"""A frozen TensorFlow graph (.pb): GraphDef, read field by field of its wire format [tensorflow graph.proto]."""

from collections import Counter
from collections.abc import Iterator

from workers.toolkits.formats.facts import Facts
from workers.toolkits.formats.parts import Part
from workers.toolkits.formats.wire import BYTES, fields, message, varint
from workers.toolkits.onnxjob.jobside import Refused

GRAPH_BYTES = 1 << 31
NODE, NAME, OP, INPUT, ATTRIBUTE = 1, 1, 2, 3, 5
KEY, VALUE, TYPE, SHAPE, DIM, SIZE = 1, 2, 6, 7, 2, 1
TYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 6: "int8", 9: "int64", 10: "bool", 19: "float16"}


def looks_like_graph(head: bytes) -> bool:
    """Does it begin with a node that has a printable name and an operator? (An ONNX file begins with a number.)"""
    if head[:1] != b"\x0a":
        return False
    try:
        length, start = varint(head, 1)
        node = head[start : start + length]
        found = dict(_first_fields(node))
        return (
            found.get(NAME, b"").isascii()
            and found.get(OP, b"").isalnum()
            and found.get(OP, b"")[:1].isupper()
        )
    except (ValueError, LookupError):
        return False


def _first_fields(node: bytes) -> Iterator[tuple[int, bytes]]:
    """Name and operator at the beginning of a node; what follows may be cut off."""
    place = 0
    for wanted in (NAME, OP):
        if node[place : place + 1] != bytes([wanted << 3 | BYTES]):
            return
        length, place = varint(node, place + 1)
        yield wanted, node[place : place + length]
        place += length


def facts(model: Part) -> Facts:
    """Placeholders are the inputs, what nobody takes the outputs. Raises Refused model:invalid."""
    try:
        nodes = [_node(value) for field, value in fields(model.read(GRAPH_BYTES)) if field == NODE]
    except (ValueError, LookupError) as error:
        raise Refused("model:invalid", f"The TensorFlow graph is damaged: {error}") from error
    taken = {name.split(":")[0].lstrip("^") for node in nodes for name in node[2]}
    return Facts(
        inputs=[(name, shape, kind) for name, op, _, kind, shape in nodes if op == "Placeholder"],
        outputs=[
            (name, None, "") for name, op, *_ in nodes if name not in taken and op not in {"Const", "NoOp"}
        ],
        operators=Counter(op for _, op, *_ in nodes),
        producer="TensorFlow",
    )


def _node(data: int | bytes) -> tuple[str, str, list[str], str, list[int | None] | None]:
    """Name, operator, inputs, and the attributes dtype and shape of one node."""
    name = op = kind = ""
    inputs: list[str] = []
    shape: list[int | None] | None = None
    for field, value in fields(message(data)):
        if field == NAME:
            name = message(value).decode()
        elif field == OP:
            op = message(value).decode()
        elif field == INPUT:
            inputs.append(message(value).decode())
        elif field == ATTRIBUTE:
            entry = dict(fields(message(value)))
            held = dict(fields(message(entry.get(VALUE, b""))))
            if entry.get(KEY) == b"dtype":
                kind = TYPES.get(int(held.get(TYPE, 0)), "other")
            elif entry.get(KEY) == b"shape" and SHAPE in held:
                shape = [_size(dim) for number, dim in fields(message(held[SHAPE])) if number == DIM]
    return name, op, inputs, kind, shape


def _size(dim: int | bytes) -> int | None:
    size = int(dict(fields(message(dim))).get(SIZE, 0))
    return size if 0 < size < 1 << 31 else None
