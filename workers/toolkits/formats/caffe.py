"""Caffe: the .prototxt is protobuf's text form, of which ends and layers are read [caffe.proto, NetParameter]."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from workers.toolkits.formats.facts import Facts
from workers.toolkits.formats.parts import Part
from workers.toolkits.formats.wire import fields, message
from workers.toolkits.onnxjob.jobside import Refused

TOKEN = re.compile(r"""#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[{}:;,<>\[\]]|[^\s{}:;,<>\[\]"'#]+""")
DEPTH = 30


@dataclass
class Message:
    """The fields of a message in order: name, and a text or a message."""

    entries: list[tuple[str, "str | Message"]] = field(default_factory=list)

    def texts(self, name: str) -> list[str]:
        return [value for key, value in self.entries if key == name and isinstance(value, str)]

    def messages(self, name: str) -> list["Message"]:
        return [value for key, value in self.entries if key == name and isinstance(value, Message)]


WEIGHTS_BYTES = (1 << 31) - 1
# NetParameter: layer, with name and blobs, or in old files layers with theirs
LAYERS = {100: (1, 7), 2: (4, 6)}
WEIGHED = {"Convolution", "InnerProduct", "Deconvolution", "CONVOLUTION", "INNER_PRODUCT", "DECONVOLUTION"}


def facts(model: Part, weights: Part) -> Facts:
    """Inputs are `input:` or layers of type Input; outputs, what no layer takes. Raises Refused model:invalid."""
    try:
        net = parse(model.text())
        layers = [*net.messages("layer"), *net.messages("layers")]
        inputs = [*_declared(net), *(one for layer in layers for one in _of_layer(layer))]
    except ValueError as error:
        raise Refused("model:invalid", f"The .prototxt: {error}") from error
    _refuse_missing_weights(layers, weights)
    taken = {name for layer in layers for name in layer.texts("bottom")}
    tops = dict.fromkeys(name for layer in layers for name in layer.texts("top") if name not in taken)
    return Facts(
        inputs=[(name, shape, "float32") for name, shape in inputs],
        outputs=[(name, None, "float32") for name in tops],
        operators=Counter(kind for layer in layers for kind in layer.texts("type")),
        producer="Caffe",
    )


def _refuse_missing_weights(layers: Sequence[Message], weights: Part) -> None:
    """Toolkits fill weights that they do not find with whatever they like, and say nothing."""
    try:
        weighed = set(_weighed(weights.read(WEIGHTS_BYTES)))
    except (ValueError, LookupError) as error:
        raise Refused("model:invalid", f"The .caffemodel is damaged: {error}") from error
    for layer in layers:
        if set(layer.texts("type")) & WEIGHED and not set(layer.texts("name")) & weighed:
            name = ", ".join(layer.texts("name"))
            raise Refused("model:incomplete", f"The .caffemodel has no weights for the layer {name[:100]!r}.")


def _weighed(data: bytes) -> Iterator[str]:
    """The names of the layers that have blobs."""
    for number, value in fields(data):
        if number in LAYERS:
            name, blobs = LAYERS[number]
            told = list(fields(message(value)))
            if any(field == blobs for field, _ in told):
                yield from (message(text).decode() for field, text in told if field == name)


def _declared(net: Message) -> Iterator[tuple[str, list[int | None] | None]]:
    """The old way: input names, with input_shape messages or four input_dim each."""
    names, dims = net.texts("input"), [int(size) for size in net.texts("input_dim")]
    shapes = [_sizes(shape) for shape in net.messages("input_shape")]
    shapes = shapes or [list(dims[place : place + 4]) for place in range(0, len(dims), 4)]
    for place, name in enumerate(names):
        yield name, shapes[place] if place < len(shapes) else None


def _of_layer(layer: Message) -> Iterator[tuple[str, list[int | None] | None]]:
    if layer.texts("type") != ["Input"]:
        return
    shapes = [_sizes(shape) for one in layer.messages("input_param") for shape in one.messages("shape")]
    for place, name in enumerate(layer.texts("top")):
        yield name, shapes[min(place, len(shapes) - 1)] if shapes else None


def _sizes(shape: Message) -> list[int | None]:
    return [int(size) for size in shape.texts("dim")]


def parse(text: str) -> Message:
    """The message in protobuf's text form. Raises ValueError."""
    tokens = [token for token in TOKEN.findall(text) if not token.startswith("#") and token not in {";", ","}]
    message, place = _message(tokens, 0, 0)
    if place != len(tokens):
        raise ValueError("a closing bracket too many")
    return message


def _message(tokens: Sequence[str], place: int, depth: int) -> tuple[Message, int]:
    if depth > DEPTH:
        raise ValueError("messages lie too deep inside each other")
    found = Message()
    while place < len(tokens) and tokens[place] not in {"}", ">"}:
        name, place = tokens[place], place + 1
        is_scalar = place < len(tokens) and tokens[place] == ":"
        place += is_scalar
        if place >= len(tokens):
            raise ValueError(f"{name[:60]!r} has no value")
        if tokens[place] in {"{", "<"}:
            inner, place = _message(tokens, place + 1, depth + 1)
            if place >= len(tokens):
                raise ValueError(f"{name[:60]!r} is not closed")
            found.entries.append((name, inner))
            place += 1
        else:
            values, place = _values(tokens, place)
            found.entries += [(name, value.strip("\"'")) for value in values]
    return found, place


def _values(tokens: Sequence[str], place: int) -> tuple[Sequence[str], int]:
    """One value, or those of a list in square brackets."""
    if tokens[place] != "[":
        return tokens[place : place + 1], place + 1
    end = list(tokens[place : place + 1000]).index("]") + place
    return tokens[place + 1 : end], end + 1
