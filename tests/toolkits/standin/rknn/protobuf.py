"""As much of an ONNX file as the stand-in needs, read from the wire format: Python 3.6, no packages."""

import struct


def fields(data):
    """(number, value) of every field; a value is an int or bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 2:
            length, at = varint(data, at)
            value, at = data[at : at + length], at + length
        else:
            size = 4 if kind == 5 else 8
            value, at = data[at : at + size], at + size
        yield tag >> 3, value


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def several(data, number):
    return [value for found, value in fields(data) if found == number]


def text(data, number):
    found = several(data, number)
    return found[0].decode() if found else ""


def signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def packed(values):
    """Repeated integers, packed into one field or not."""
    numbers = []
    for value in values:
        if isinstance(value, int):
            numbers.append(signed(value))
            continue
        at = 0
        while at < len(value):
            number, at = varint(value, at)
            numbers.append(signed(number))
    return numbers


def tensor(data):
    """(name, (shape, flat list)) of a TensorProto of float or int64."""
    kind = several(data, 2)[0]
    raw = several(data, 9)
    if raw:
        code, size = ("f", 4) if kind == 1 else ("q", 8)
        values = list(struct.unpack("<%d%s" % (len(raw[0]) // size, code), raw[0]))
    elif kind == 1:
        values = [number for part in several(data, 4) for (number,) in struct.iter_unpack("<f", part)]
    else:
        values = packed(several(data, 7))
    return text(data, 8), (tuple(packed(several(data, 1))), values)


def attribute(data):
    name, ints = text(data, 1), packed(several(data, 8))
    return name, ints or [signed(value) for value in several(data, 3)]


def node(data):
    return {
        "inputs": [value.decode() for value in several(data, 1)],
        "outputs": [value.decode() for value in several(data, 2)],
        "name": text(data, 3),
        "op": text(data, 4),
        "attributes": dict(attribute(value) for value in several(data, 5)),
    }


def value_info(data):
    """(name, sizes); a size that is open is 0."""
    tensor_type = several(several(data, 2)[0], 1)[0]
    sizes = []
    for shape in several(tensor_type, 2):
        sizes = [(several(dim, 1) or [0])[0] for dim in several(shape, 1)]
    return text(data, 1), sizes


def read(path):
    """The graph of the model at `path`."""
    with open(path, "rb") as file:
        graph = several(file.read(), 7)[0]
    constants = dict(tensor(value) for value in several(graph, 5))
    inputs = [value_info(value) for value in several(graph, 11)]
    return {
        "name": text(graph, 2),
        "nodes": [node(value) for value in several(graph, 1)],
        "constants": constants,
        "inputs": [(name, sizes) for name, sizes in inputs if name not in constants],
        "outputs": [value_info(value)[0] for value in several(graph, 12)],
    }
