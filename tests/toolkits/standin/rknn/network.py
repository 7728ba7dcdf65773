"""The stand-in's graph: runs in float or quantized, and knows the names that the toolkit would give."""

import math
import re

from rknn.operators import apply, transpose

BITS = {"u8": 8, "i8": 8, "i16": 16}


class Network:
    """A graph and the range of each of its tensors over the calibration samples; `own` says how single tensors are
    quantized (None: not) where that is not as all others are."""

    def __init__(self, graph):
        self.graph, self.ranges, self.own = graph, {}, {}

    def how(self, name, how):
        """How the tensor is quantized when the network is quantized as `how` says."""
        return self.own.get(name, how) if how else None

    def layers(self):
        """(name with id, tensor) in execution order, inputs first; ids as the toolkit counts them."""
        named = [(name, name) for name, _ in self.graph["inputs"]]
        named += [("%s_%s" % (node["op"], node["name"]), node["outputs"][0]) for node in self.graph["nodes"]]
        return [("%s_%d" % (name, len(named) - at), tensor) for at, (name, tensor) in enumerate(named)]

    def run(self, feed, how=None, alone=None):
        """Every tensor; quantized as `how` says. With `alone`, a run's floats, each layer is fed with those."""
        values = dict(self.graph["constants"])
        for name, value in feed.items():
            values[name] = self.quantized(name, value, how)
        for node in self.graph["nodes"]:
            out = node["outputs"][0]
            taken = [self._taken(name, values, self.how(out, how), alone) for name in node["inputs"]]
            values[out] = self.quantized(out, apply(node, taken), how)
        return values

    def _taken(self, name, values, how, alone):
        if name in self.graph["constants"]:
            value = self.graph["constants"][name]
            wanted = how and len(value[0]) > 1
            return (
                (value[0], quantize(value[1], *scale_of(min(value[1]), max(value[1]), how)))
                if wanted
                else value
            )
        return alone[name] if alone else values[name]

    def learn(self, values):
        """Widen the ranges by one sample's float tensors."""
        for name, (_, flat) in values.items():
            low, high = self.ranges.get(name, (0.0, 0.0))
            self.ranges[name] = (min([low, *flat]), max([high, *flat]))

    def quantized(self, name, value, how):
        how = self.how(name, how)
        return (value[0], quantize(value[1], *scale_of(*self.ranges[name], how=how))) if how else value


def scale_of(low, high, how):
    """(scale, zero point, smallest, largest): affine of u8, a power of two (dynamic fixed point) of i8 and i16."""
    low, high = min(low, 0.0), max(high, 0.0)
    if how == "u8":
        scale = (high - low) / 255 or 1.0
        return scale, round(-low / scale), 0, 255
    largest = 2 ** (BITS[how] - 1) - 1
    fl = math.floor(math.log(largest / (max(-low, high) or 1.0), 2))
    return 2.0**-fl, 0, -largest - 1, largest


def quantize(flat, scale, zero, low, high):
    return [(min(max(round(value / scale) + zero, low), high) - zero) * scale for value in flat]


def file_name(layer, shape):
    sizes = [shape[axis] for axis in (0, 2, 3, 1)] if len(shape) == 4 else shape
    return "%s_out0_nhwc_%s" % (re.sub("[^A-Za-z0-9_.-]", "_", layer), "_".join(str(size) for size in sizes))


def quoted(key):
    """A key of YAML in single quotes, where those of its own stand twice."""
    return "'%s'" % key.replace("'", "''")


def as_dumped(value):
    """NHWC where there are four dimensions."""
    return transpose(value, (0, 2, 3, 1)) if len(value[0]) == 4 else value
