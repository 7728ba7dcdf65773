"""The agent's one way to talk: JSON lines on what was its standard output when it started."""

import os
import select
import sys
import threading

from boardagent import protocol


class Channel:
    """Sends events, from any thread. `is_broken` turns true when nobody listens any more."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._broken = False

    @classmethod
    def take_stdout(cls):
        """Keep standard output for events alone: from now on prints go to standard error."""
        sys.stdout.flush()
        channel = cls(os.dup(1))
        os.dup2(2, 1)
        return channel

    def send(self, event, **fields):
        """Send one event; a listener who went away is remembered, not raised."""
        line = protocol.encode(dict(fields, event=event))
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except OSError:
                self._broken = True

    def log(self, text):
        """Pass on lines for people, each cut to a length that always fits."""
        for line in text.splitlines():
            self.send("log", text=protocol.plain(line)[:2000])

    @property
    def is_broken(self):
        """True when the reader closed its end: the link is gone and the answer has no taker."""
        if not self._broken:
            poll = select.poll()
            poll.register(self._descriptor, 0)
            self._broken = any(what & (select.POLLERR | select.POLLHUP) for _, what in poll.poll(0))
        return self._broken
