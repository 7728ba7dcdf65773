"""Protobuf's wire format: the fields of a message, without its schema [protobuf.dev, Encoding]."""

from collections.abc import Iterator

VARINT, BYTES = 0, 2
Fields = Iterator[tuple[int, int | bytes]]


def fields(data: bytes) -> Fields:
    """Number and value of each field of a message. Raises ValueError or LookupError for what is no message."""
    place = 0
    while place < len(data):
        tag, place = varint(data, place)
        kind = tag & 7
        if kind == VARINT:
            value, place = varint(data, place)
            yield tag >> 3, value
        else:
            length, place = varint(data, place) if kind == BYTES else ({1: 8, 5: 4}[kind], place)
            if place + length > len(data):
                raise ValueError("a field is longer than the file")
            yield tag >> 3, data[place : place + length]
            place += length


def varint(data: bytes, place: int) -> tuple[int, int]:
    """The number that begins at `place`, and where it ends. Raises ValueError or IndexError."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number has no end")


def message(value: int | bytes) -> bytes:
    """A field's value that has to be bytes. Raises ValueError."""
    if not isinstance(value, bytes):
        raise ValueError("a number stands where a message should")
    return value
