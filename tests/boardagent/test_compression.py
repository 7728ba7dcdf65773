"""Blocks are packed while that makes the link faster: links and processors of given speeds, on their own clock."""

import os

import pytest

from boardagent.compression import Packer, squeeze
from boardagent.protocol import MAX_BLOCK

MB = 1024 * 1024
TEXT = b"".join(b"%f\n" % (number / 7) for number in range(40_000))[:MAX_BLOCK]
NOISE = os.urandom(MAX_BLOCK)


class Link:
    """Takes `rate` bytes a second, `buffer` of them at once; the processor packs `pack_rate` bytes a second."""

    def __init__(self, rate: float, *, buffer: int = 128 * 1024, pack_rate: float = 60 * MB) -> None:
        self.now = 0.0
        self.rate, self.pack_rate = rate, pack_rate
        self.packer = Packer(clock=lambda: self.now, squeeze=self._squeeze)
        self._buffer, self._queued, self._drained_at = buffer, 0.0, 0.0

    def _squeeze(self, data: bytes) -> bytes:
        self.now += len(data) / self.pack_rate
        return squeeze(data)

    def send(self, data: bytes) -> str:
        """Send one block; how it went."""
        method, stored = self.packer.pack(data)
        self._queued = max(0.0, self._queued - (self.now - self._drained_at) * self.rate) + len(stored)
        self._drained_at = self.now
        waits = self._queued > self._buffer
        if waits:
            self.now += (self._queued - self._buffer) / self.rate
        self.packer.sent(method, len(data), waits)
        return method


def methods(link: Link, data: bytes, count: int) -> list[str]:
    return [link.send(data) for _ in range(count)]


def test_on_a_slow_link_text_is_packed() -> None:
    assert set(methods(Link(1 * MB), TEXT, 60)[20:]) == {"zlib"}


def test_on_a_slow_link_noise_is_not_packed() -> None:
    assert set(methods(Link(1 * MB), NOISE, 60)) == {"raw"}


def test_a_processor_slower_than_the_link_packs_nothing() -> None:
    assert set(methods(Link(20 * MB, pack_rate=10 * MB), TEXT, 100)) == {"raw"}


def test_a_processor_faster_than_the_link_packs() -> None:
    """But for a few raw blocks now and then, which find out whether the link is faster by now."""
    assert methods(Link(5 * MB, pack_rate=10 * MB), TEXT, 220)[20:].count("raw") <= 30


def test_looking_whether_packing_helps_costs_little() -> None:
    link = Link(100 * MB, pack_rate=10 * MB)
    methods(link, NOISE, 400)
    assert link.now < 1.2 * 400 * len(NOISE) / (100 * MB)


def test_on_a_link_that_never_waits_nothing_is_packed() -> None:
    assert set(methods(Link(1e12), TEXT, 60)) == {"raw"}


def test_a_link_that_becomes_fast_is_noticed() -> None:
    link = Link(1 * MB)
    methods(link, TEXT, 40)
    link.rate = 1e12
    assert methods(link, TEXT, 400)[-1] == "raw"


def test_a_link_that_becomes_slow_is_noticed() -> None:
    link = Link(1e12)
    methods(link, TEXT, 40)
    link.rate = 1 * MB
    assert methods(link, TEXT, 60)[-1] == "zlib"


@pytest.mark.parametrize("data", [TEXT, NOISE, b"x"])
def test_a_packed_block_is_never_longer(data: bytes) -> None:
    link = Link(0.1 * MB)
    methods(link, TEXT, 40)
    method, stored = link.packer.pack(data)
    assert (len(stored) <= len(data), method == "zlib") == (True, len(stored) < len(data))
