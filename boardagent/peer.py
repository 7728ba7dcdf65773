"""The worker at the other end of `attach`: takes lines and blocks, and says on standard input what it has."""

import os
import select
import time

from boardagent import protocol

BROKEN = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Gone(Exception):
    """Nobody is at the other end any more."""


class Peer:
    """Speaks with the worker without ever waiting for it longer than `patience_s`.

    `have` is the number of entries that arrived whole there, as far as it told. A worker says something every
    few seconds; one whose link is dead does not, and no descriptor tells that.
    """

    def __init__(self, out, into, patience_s):
        self.have = 0
        self._out, self._into, self._patience_s = out, into, patience_s
        os.set_blocking(out, False)
        os.set_blocking(into, False)
        self._rest = b""
        self._is_listening = True
        self._heard = self._spoke = time.monotonic()

    def send(self, data):
        """Send all of it; say whether that had to wait. Raises Gone."""
        view, waited = memoryview(data), False
        while view:
            try:
                view = view[os.write(self._out, view) :]
            except BlockingIOError:
                waited = True
                self._wait(1.0, select.POLLOUT)
            except OSError as error:
                raise Gone(str(error)) from error
        self._spoke = time.monotonic()
        return waited

    def listen(self, seconds):
        """Wait for the worker's lines for at most so long; a beat shows it that we live. Raises Gone."""
        self._wait(seconds, 0)
        if time.monotonic() >= self._spoke + protocol.BEAT_S:
            self.send(protocol.encode({"event": "beat"}))

    def _wait(self, seconds, wanted):
        poll = select.poll()
        poll.register(self._out, wanted)
        if self._is_listening:
            poll.register(self._into, select.POLLIN)
        for descriptor, what in poll.poll(int(seconds * 1000)):
            if descriptor == self._out and what & BROKEN:
                raise Gone("the other end was closed")
            if descriptor == self._into:
                self._hear()
        if self._is_listening and time.monotonic() > self._heard + self._patience_s:
            raise Gone("not a word from the worker")

    def _hear(self):
        try:
            data = os.read(self._into, protocol.MAX_LINE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._is_listening = False  # nothing more will come; what we send may still be read
            return
        self._heard = time.monotonic()
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()[-protocol.MAX_LINE :]
        for line in lines:
            told = protocol.decode(line).get("have")
            if isinstance(told, int):
                self.have = max(self.have, told)
