"""The agent's one way to talk: JSON lines on what was its standard output when it started."""

import os
import sys

from boardagent import protocol


class Channel:
    """Sends events; a listener who went away is noticed by whoever cares (see peer.py), not here."""

    def __init__(self, descriptor):
        self.descriptor = descriptor

    @classmethod
    def take_stdout(cls):
        """Keep standard output for events alone: from now on prints go to standard error."""
        sys.stdout.flush()
        channel = cls(os.dup(1))
        os.dup2(2, 1)
        return channel

    def send(self, event, **fields):
        """Send one event."""
        line = protocol.encode(dict(fields, event=event))
        try:
            while line:
                line = line[os.write(self.descriptor, line) :]
        except OSError:
            pass  # nobody listens: the verb is done all the same
