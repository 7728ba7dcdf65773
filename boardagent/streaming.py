"""`attach`: a run's journal as it grows, and the content of its files, from wherever the worker left off."""

import os

from boardagent import attendance, children, detach, jobfile, journal, protocol
from boardagent.compression import Packer
from boardagent.peer import Peer

LOOK_S = 0.05


class NoEnd(Exception):
    """The run is over without an `end`, or a file that was asked for is here no longer."""


def stream(folder, entry, offset, out, into):
    """Send the entries from number `entry` on, the content of its file from byte `offset`, until the end.

    Raises NoEnd, peer.Gone.
    """
    peer = Peer(out, into, jobfile.orphan_s(jobfile.read(folder)))
    with attendance.attached(folder), journal.Reader(folder) as reader:
        feed = Feed(folder, peer)
        peer.have = entry  # who asks from here on has what came before
        for number, line, message in _entries(folder, reader, feed):
            if number < entry:
                continue
            peer.send(journal.sent(number, line))
            if message["event"] == "file":
                feed.content(number, message, offset if number == entry else 0)
            if message["event"] == "end":
                return


def _entries(folder, reader, feed):
    """The journal's entries as they come; what the worker has is deleted on the way. NoEnd when the run died."""
    while True:
        lives = attendance.is_running(folder)  # asked before the look: what it wrote last is then seen
        found = reader.next()
        if found is not None:
            feed.note(*found)
            yield found
        elif lives:
            feed.peer.listen(LOOK_S)
        else:
            raise NoEnd(children.tail(os.path.join(folder, detach.LOG)) or "the run left no word")
        feed.forget()


class Feed:
    """The run's files on their way to the worker."""

    def __init__(self, folder, peer):
        self.peer = peer
        self._folder = folder
        self._packer = Packer()
        self._kept = []

    def note(self, number, _, message):
        """Remember whose file may go when the worker has it; the result is small and stays."""
        if message["event"] == "file" and message["name"] != journal.RESULT:
            self._kept.append((number, os.path.join(self._folder, message["name"])))

    def forget(self):
        """Delete what the worker has whole."""
        while self._kept and self._kept[0][0] < self.peer.have:
            try:
                os.unlink(self._kept.pop(0)[1])
            except OSError:
                pass

    def content(self, number, message, offset):
        """Send a file's bytes from `offset` on, in blocks."""
        path = os.path.join(self._folder, message["name"])
        if not os.path.exists(path):
            raise NoEnd("{} is here no longer".format(message["name"]))
        with open(path, "rb", 0) as file:
            file.seek(offset)
            while offset < message["bytes"]:
                data = file.read(min(protocol.MAX_BLOCK, message["bytes"] - offset))
                if not data:
                    raise NoEnd("{} is shorter than it was".format(message["name"]))
                self._block(number, offset, data)
                offset += len(data)

    def _block(self, number, offset, data):
        method, stored = self._packer.pack(data)
        head = protocol.encode({
            "event": "block", "entry": number, "offset": offset, "plain": len(data), "stored": len(stored),
            "method": method,
        })  # fmt: skip
        waited = self.peer.send(head + stored)
        self._packer.sent(method, len(data), waited)
        self.peer.listen(0)
