"""The few operators that the stand-in has. A tensor is (shape, flat list), four dimensions as NCHW."""

from itertools import product


class NoMatch(Exception):
    """There is no such operator."""


def strides(shape):
    steps, step = [], 1
    for size in reversed(shape):
        steps.insert(0, step)
        step *= size
    return steps


def count(shape):
    total = 1
    for size in shape:
        total *= size
    return total


def transpose(value, order):
    shape, flat = value
    steps, target = strides(shape), tuple(shape[axis] for axis in order)
    picked = [steps[axis] for axis in order]
    places = product(*[range(size) for size in target])
    return target, [flat[sum(i * s for i, s in zip(place, picked))] for place in places]


def reshape(value, sizes):
    shape, flat = value
    target = [shape[at] if size == 0 else size for at, size in enumerate(sizes)]
    if -1 in target:
        target[target.index(-1)] = len(flat) // count([size for size in target if size != -1])
    return tuple(target), flat


def conv(value, weight, bias, attributes):
    (_, _channels, height, width), flat = value
    (outs, ins, high, wide), weights = weight
    top, left, bottom, right = attributes.get("pads") or [0, 0, 0, 0]
    down, across = attributes.get("strides") or [1, 1]
    rows, columns = (height + top + bottom - high) // down + 1, (width + left + right - wide) // across + 1
    result = []
    for out, row, column in product(range(outs), range(rows), range(columns)):
        total = bias[out] if bias else 0.0
        for c, i, j in product(range(ins), range(high), range(wide)):
            y, x = row * down + i - top, column * across + j - left
            if 0 <= y < height and 0 <= x < width:
                total += flat[(c * height + y) * width + x] * weights[((out * ins + c) * high + i) * wide + j]
        result.append(total)
    return (1, outs, rows, columns), result


def add(one, other):
    (shape, flat), (_, more) = (one, other) if len(one[1]) >= len(other[1]) else (other, one)
    return shape, [value + more[at % len(more)] for at, value in enumerate(flat)]


def clip(value, low, high):
    return value[0], [min(max(number, low), high) for number in value[1]]


def apply(node, values):
    """The output of `node` for the tensors `values`. Raises NoMatch."""
    op, attributes = node["op"], node["attributes"]
    if op == "Conv":
        return conv(values[0], values[1], values[2][1] if len(values) > 2 else None, attributes)
    if op == "Relu":
        return clip(values[0], 0.0, float("inf"))
    if op == "Clip":
        return clip(values[0], values[1][1][0], values[2][1][0])
    if op == "Add":
        return add(values[0], values[1])
    if op == "Reshape":
        return reshape(values[0], values[1][1])
    if op == "Transpose":
        return transpose(values[0], attributes["perm"])
    raise NoMatch(op)
