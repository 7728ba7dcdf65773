"""Tensors between the run's files and the library: shapes, layouts, types, and which input is which."""

import re

from boardagent import protocol, tensorfile
from boardagent.npu.failures import NpuFailure

# rknn_tensor_type; the 1.7 header ends with INT16, RKNPU2's goes on.
TYPES = ("F32", "F16", "I8", "U8", "I16", "U16", "I32", "U32", "I64", "BOOL")
TYPES_OF_1 = TYPES[:5]
FORMATS = ("NCHW", "NHWC")
QUANTIZED = 2  # asymmetric affine
MOST_BYTES = 1 << 30
TRAILING_ID = re.compile(r"_\d+$")


class Attr:
    """What the library says of one input or output, checked: a `shape` in numpy's order, `layout` "" when not 4-D."""

    def __init__(self, raw, reversed_dims):
        if raw.n_dims > len(raw.dims):
            raise NpuFailure(
                "board:npu-failed", "the library describes a tensor of {} dimensions".format(raw.n_dims)
            )
        dims = list(raw.dims[: raw.n_dims])
        self.shape = tuple(reversed(dims)) if reversed_dims else tuple(dims)
        self.index, self.elements, self.bytes = raw.index, raw.n_elems, raw.size
        self.name = protocol.plain(raw.name.decode("utf-8", "replace"))
        self.types = TYPES_OF_1 if reversed_dims else TYPES  # what may go in
        self.type = self.types[raw.type] if 0 <= raw.type < len(self.types) else ""
        self.layout = FORMATS[raw.fmt] if raw.n_dims == 4 and raw.fmt in (0, 1) else ""
        self.format = raw.fmt
        self.scale = raw.scale if raw.qnt_type == QUANTIZED else None
        self.zero_point = raw.zp if raw.qnt_type == QUANTIZED else None
        self._check()

    def _check(self):
        count = 1
        for side in self.shape:
            count *= side
        if count != self.elements or not 0 < self.elements * 4 <= MOST_BYTES:
            message = "the library describes {!r} as {} with {} elements"
            raise NpuFailure("board:npu-failed", message.format(self.name, self.shape, self.elements))

    def shape_as(self, layout):
        """The shape in another layout."""
        if not self.layout or layout == self.layout:
            return self.shape
        n, a, b, c = self.shape
        return (n, c, a, b) if layout == "NCHW" else (n, b, c, a)


class Fed:
    """One input as it goes in: bytes, type, layout, and whether the library takes it unconverted."""

    def __init__(self, attr, data, dtype, layout, pass_through):
        self.attr, self.data, self.type = attr, data, dtype
        self.layout, self.pass_through = layout, pass_through


def feed(attrs, path, io):
    """What each input gets from the inputs file at `path`; `io` is the job's wish for each, by the file's names.

    NpuFailure when names, shapes or sizes do not fit the artifact.
    """
    with tensorfile.TensorFile(path) as file:
        names = match([attr.name for attr in attrs], list(file.entries))
        return [_fed(attr, file, name, io.get(name) or {}) for attr, name in zip(attrs, names)]


def match(wanted, given):
    """The name in `given` of each input in `wanted`: the same, or the same but for the trailing id, or by order."""
    if len(wanted) != len(given):
        message = "the artifact takes {} inputs {}, the file holds {}: {}"
        raise _misfit(message.format(len(wanted), wanted, len(given), given))
    left, found = list(given), {}
    for same in (lambda name: name, lambda name: TRAILING_ID.sub("", name)):
        for place, name in enumerate(wanted):
            fitting = [other for other in left if same(other) == same(name)]
            if place not in found and len(fitting) == 1:
                found[place] = fitting[0]
                left.remove(fitting[0])
    return [found[place] if place in found else left.pop(0) for place in range(len(wanted))]


def _fed(attr, file, name, wish):
    dtype, shape, begin, end = file.entries[name]
    pass_through = bool(wish.get("pass_through"))
    expected = attr.bytes if pass_through else attr.elements * tensorfile.SIZES[dtype]
    if end - begin != expected or dtype not in attr.types:
        message = "input {!r} takes {} bytes of shape {}, the file holds {} of shape {} as {}"
        raise _misfit(message.format(attr.name, expected, attr.shape, end - begin, shape, dtype))
    if wish.get("type") not in (None, dtype.lower()):
        raise _misfit(
            "input {!r} is to go in as {}, the file holds {}".format(attr.name, wish["type"], dtype)
        )
    layout = wish.get("layout") or layout_of(attr, shape)
    return Fed(attr, file.read(name), dtype, layout, pass_through)


def layout_of(attr, shape):
    """The layout in which values of `shape` must lie; the artifact's own where both fit, "" when it is not 4-D."""
    if not attr.layout:
        return ""
    others = [attr.layout] + [layout for layout in FORMATS if layout != attr.layout]
    fitting = [layout for layout in others if _squeezed(attr.shape_as(layout)) == _squeezed(shape)]
    return fitting[0] if fitting else attr.layout


def _squeezed(shape):
    return tuple(side for side in shape if side != 1)


def _misfit(text):
    return NpuFailure("board:rejected-artifact", text)


def names_of(attrs):
    """A name for each output, none twice and none empty."""
    found = []
    for attr in attrs:
        name = attr.name or "output"
        found.append(name if name not in found else "{}_{}".format(name, attr.index))
    return found
