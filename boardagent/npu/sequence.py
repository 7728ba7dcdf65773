"""The sequence check: does the NPU compute the same again, after another input, and after a reload?"""

import hashlib
import math
import struct

from boardagent.npu.tensors import Fed

HANG = 10.0  # so many medians are a hang
LARGEST = 3.4028234e38  # stands for a difference to NaN or infinity: JSON has neither
BLOCK = 4096  # bytes compared at once


def checks(session, reopen, first, second, wanted):
    """The three checks, as the contract has them; `first` and `second` are lists of Fed.

    `reopen(session)` closes and loads again. The last session in use is returned beside them, to be closed.
    """
    repeats, reloads = (
        _bounded(wanted.get(name), usual) for name, usual in (("repeats", 10), ("reloads", 3))
    )
    session.set_inputs(first)
    expected = {0: _execute(session)[0]}
    found = [_check("same-input", session, [0] * repeats, {0: first}, expected)]
    session.set_inputs(second)
    expected[1] = _execute(session)[0]
    found.append(_check("alternating", session, [0, 1] * repeats, {0: first, 1: second}, expected))
    reload = Check("reload", expected)
    for _ in range(reloads):
        session = reopen(session)
        session.set_inputs(first)
        reload.add(0, *_execute(session))
    return [*found, reload.result()], session


def _bounded(value, usual):
    return max(1, min(1000, int(usual if value is None else value)))


def _check(name, session, order, inputs, expected):
    check, current = Check(name, expected), None
    for which in order:
        if which != current:
            session.set_inputs(inputs[which])
            current = which
        else:
            session.send_inputs()
        check.add(which, *_execute(session))
    return check.result()


def _execute(session):
    """(outputs, microseconds) of one execution."""
    took = session.run()
    return session.fetch(), took


class Check:
    """Collects executions and compares each with the first one of the same input."""

    def __init__(self, name, expected):
        self._name, self._expected, self._times = name, expected, []
        self._digests = {which: _digest(outputs) for which, outputs in expected.items()}
        self._differing, self._largest = [], 0.0

    def add(self, which, outputs, took):
        """One execution of input `which`."""
        if _digest(outputs) != self._digests[which]:
            self._differing.append(len(self._times))
            pairs = zip(self._expected[which], outputs)
            self._largest = max([self._largest] + [max_difference(one, other) for one, other in pairs])
        self._times.append(took)

    def result(self):
        """The check's entry in the result."""
        median = sorted(self._times)[len(self._times) // 2]
        return {
            "name": self._name,
            "runs": len(self._times),
            "differing": self._differing,
            "max_difference": self._largest,
            "hangs": sum(1 for took in self._times if took > HANG * median),
            "median_us": median,
        }


def _digest(outputs):
    digest = hashlib.sha256()
    for data in outputs:
        digest.update(data)
    return digest.digest()


def max_difference(one, other):
    """The largest difference of two buffers of float32; differing NaN or infinity count as the largest float32."""
    largest = 0.0
    for start in range(0, len(one), BLOCK):
        a, b = one[start : start + BLOCK], other[start : start + BLOCK]
        if a != b:
            form = "<{}f".format(len(a) // 4)
            differences = [
                abs(x - y) for x, y in zip(struct.unpack(form, a), struct.unpack(form, b)) if x != y
            ]
            largest = max([largest] + [gap if math.isfinite(gap) else LARGEST for gap in differences])
    return min(largest, LARGEST)


def other_input(fed):
    """A second input where the job names none: integers with inverted bits, floats turned by half their length."""
    half = len(fed.data) // 8 * 4
    is_float = fed.type[0] == "F"
    data = fed.data[half:] + fed.data[:half] if is_float else bytes(255 - byte for byte in fed.data)
    return Fed(fed.attr, data, fed.type, fed.layout, fed.pass_through)
