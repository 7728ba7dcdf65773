"""Compress blocks while that makes a link faster, and only then: both rates are measured, block by block.

Packing and sending overlap (the kernel's buffers empty while the next block is packed), so packed blocks should go at
the slower of both rates. Whether they do is measured too: the processor has other things to do.
"""

import time

try:
    import zlib
except ImportError:  # some small Pythons lack it: then every block goes as it is
    zlib = None

METHODS = ["zlib"] if zlib else []
LEVEL = 1
SAMPLE = 32 * 1024
SAMPLE_EVERY = 32  # raw blocks between two looks at how well the data packs,
SAMPLE_AFTER_S = 0.25  # or so long, if that is sooner
ENOUGH = 10  # blocks that tell how fast their way is
TRUST_EVERY = 64  # packed blocks that never waited for the link, until raw ones measure it anew
GAIN = 1.15  # smaller gains are noise
KEPT = 0.94  # weight of the past: links take bytes in bursts, about twenty blocks even them out


def squeeze(data):
    """The data as one zlib stream."""
    return zlib.compress(data, LEVEL)


class Pace:
    """Bytes a second over the last blocks; `rate` is None before the first one."""

    def __init__(self):
        self.blocks = 0
        self._bytes = self._seconds = 0.0

    def add(self, count, seconds):
        """One more block."""
        self.blocks += 1
        self._bytes = KEPT * self._bytes + count
        self._seconds = KEPT * self._seconds + max(seconds, 1e-6)

    @property
    def rate(self):
        return self._bytes / self._seconds if self.blocks else None


class Packer:
    """Packs one block after the other. All rates are of plain bytes a second."""

    def __init__(self, clock=time.monotonic, squeeze=squeeze):
        self._clock, self._squeeze = clock, squeeze
        self._raw, self._packed = Pace(), Pace()
        self._squeeze_rate, self._share = 0.0, 1.0  # of a look at the data; stored bytes for a plain one
        self._ceiling = float("inf")  # what packed blocks were seen to reach at most
        self._is_packing = False
        self._unhindered = 0
        self._until_look, self._looked, self._began = 0, clock(), clock()

    def pack(self, data):
        """(method, stored bytes) of a block."""
        self._began = self._clock()
        if self._is_packing:
            packed = self._squeeze(data)
            self._share = len(packed) / float(len(data) or 1)
            if len(packed) < len(data):
                return "zlib", packed
            self._is_packing = False
        elif zlib and (self._until_look <= 0 or self._began >= self._looked + SAMPLE_AFTER_S):
            self._look(data[:SAMPLE])
        self._until_look -= 1
        return "raw", data

    def sent(self, method, plain, waited):
        """Tell how the block of `pack` went: `waited` when the link was not ready to take all of it at once."""
        took = self._clock() - self._began
        if method == "raw":
            self._raw.add(plain, took)
            self._begin_if_worth_it()
            return
        self._packed.add(plain, took)
        self._unhindered = 0 if waited else self._unhindered + 1
        if self._unhindered and self._packed.blocks >= ENOUGH:
            self._end_if_not_worth_it()

    def _begin_if_worth_it(self):
        link, packing = self._raw.rate, min(self._squeeze_rate, self._ceiling)
        if self._raw.blocks >= ENOUGH and min(packing, link / self._share) > GAIN * link:
            self._is_packing, self._packed, self._unhindered = True, Pace(), 0

    def _end_if_not_worth_it(self):
        """The processor is the limit now. Raw blocks were faster, or may be by now: they are measured anew."""
        if self._packed.rate < self._raw.rate or self._unhindered >= TRUST_EVERY:
            self._is_packing, self._ceiling = False, self._packed.rate
            self._raw = Pace()

    def _look(self, data):
        """How well and how fast the data packs. A look may be disturbed, so the faster one of the last counts."""
        start = self._clock()
        packed = self._squeeze(data)
        rate = len(data) / max(self._clock() - start, 1e-6)
        self._squeeze_rate = max(rate, 0.7 * self._squeeze_rate)
        self._share = len(packed) / float(len(data) or 1)
        self._ceiling *= 1.05  # the processor may have less to do by now
        self._until_look, self._looked, self._began = SAMPLE_EVERY, start, self._clock()
