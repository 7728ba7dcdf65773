"""Reads both outputs of a command to their end, so that neither can block it, then its exit status."""

import select
import time
from collections.abc import Callable

import paramiko

from workers.link.base import board_failure

BLOCK = 64 * 1024 * 1024  # all there is: taking a part makes paramiko move the rest
LONGEST_NAP_S = 1.0
Taker = Callable[[bytes], None]


def drain(
    channel: paramiko.Channel,
    out: Taker,
    err: Taker,
    *,
    deadline: float,
    silence_s: float | None = None,
) -> int | None:
    """Hand on what the command writes until it ends; its exit status, None when it has none (a signal).

    "board:timed-out" at the deadline, "board:link-lost" when the transport is gone or after `silence_s`.
    """
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    heard = time.monotonic()
    while True:
        if _read_ready(channel, out, err):
            heard = time.monotonic()
        if (channel.eof_received or channel.closed) and not (
            channel.recv_ready() or channel.recv_stderr_ready()
        ):
            return _status(channel, deadline)
        now = time.monotonic()
        if now >= deadline:
            raise board_failure("board:timed-out", "the command did not end in time")
        if silence_s is not None and now >= heard + silence_s:
            raise board_failure("board:link-lost", f"not a word for {silence_s:g} s")
        ends = [deadline - now, LONGEST_NAP_S] + ([heard + silence_s - now] if silence_s is not None else [])
        poll.poll(max(1, int(min(ends) * 1000)))


def _read_ready(
    channel: paramiko.Channel, out: Callable[[bytes], None], err: Callable[[bytes], None]
) -> bool:
    moved = False
    while channel.recv_ready():
        out(channel.recv(BLOCK))
        moved = True
    while channel.recv_stderr_ready():
        err(channel.recv_stderr(BLOCK))
        moved = True
    return moved


def _status(channel: paramiko.Channel, deadline: float) -> int | None:
    while not channel.status_event.wait(min(LONGEST_NAP_S, max(0.0, deadline - time.monotonic()))):
        if time.monotonic() >= deadline:
            raise board_failure("board:timed-out", "the command gave no exit status in time")
    if channel.exit_status >= 0:
        return channel.exit_status
    transport = channel.get_transport()
    if transport is None or not transport.is_active():
        raise board_failure("board:link-lost", "the connection ended before the command did")
    return None
