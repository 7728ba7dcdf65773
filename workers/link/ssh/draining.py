"""Reads both outputs of a command as they come, so that neither can block it, then its exit status."""

import select
import time
from collections.abc import Callable

import paramiko

from workers.link.base import board_failure

BLOCK = 64 * 1024 * 1024  # all there is: taking a part makes paramiko move the rest
LONGEST_NAP_S = 1.0
Taker = Callable[[bytes], None]


class Reading:
    """Both outputs of the command on a channel, handed to `out` and `err`.

    "board:timed-out" at the deadline, "board:link-lost" when the transport is gone or after `silence_s`.
    """

    def __init__(
        self,
        channel: paramiko.Channel,
        out: Taker,
        err: Taker,
        *,
        deadline: float,
        silence_s: float | None = None,
    ) -> None:
        self._channel, self._out, self._err = channel, out, err
        self._deadline, self._silence_s = deadline, silence_s
        self._heard = time.monotonic()
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)

    def more(self) -> bool:
        """Wait until something came and was handed on; False when both outputs are over."""
        channel = self._channel
        while not self._read_ready():
            if (channel.eof_received or channel.closed) and not (
                channel.recv_ready() or channel.recv_stderr_ready()
            ):
                return False
            self._nap()
        self._heard = time.monotonic()
        return True

    def status(self) -> int | None:
        """The exit status once both outputs are over; None when it has none (a signal)."""
        return _status(self._channel, self._deadline)

    def _nap(self) -> None:
        now = time.monotonic()
        if now >= self._deadline:
            raise board_failure("board:timed-out", "the command did not end in time")
        ends = [self._deadline - now, LONGEST_NAP_S]
        if self._silence_s is not None:
            ends.append(self._heard + self._silence_s - now)
            if ends[-1] <= 0:
                raise board_failure("board:link-lost", f"not a word for {self._silence_s:g} s")
        self._poll.poll(max(1, int(min(ends) * 1000)))

    def _read_ready(self) -> bool:
        moved = False
        while self._channel.recv_ready():
            self._out(self._channel.recv(BLOCK))
            moved = True
        while self._channel.recv_stderr_ready():
            self._err(self._channel.recv_stderr(BLOCK))
            moved = True
        return moved


def drain(
    channel: paramiko.Channel,
    out: Taker,
    err: Taker,
    *,
    deadline: float,
    silence_s: float | None = None,
) -> int | None:
    """Hand on what the command writes until it ends; its exit status, None when it has none (a signal)."""
    reading = Reading(channel, out, err, deadline=deadline, silence_s=silence_s)
    while reading.more():
        pass
    return reading.status()


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
