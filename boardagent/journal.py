"""The journal of a run: what happened, one complete JSON line an entry, numbered from 0 and never changed.

It is the only thing that the run and those who attach to it share; both may be killed at any moment.
"""

import os

from boardagent import protocol

NAME = "journal.jsonl"
RESULT = "result.json"  # the last file of a run
ROOM = 64  # bytes that a line may grow by when it is sent
LOG_PIECE = 2000


class Journal:
    """The run's end: an entry is on the disk when `add` returns."""

    def __init__(self, folder):
        path = os.path.join(folder, NAME)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, event, **fields):
        """Write one entry. Raises OSError when it cannot be kept, BadMessage when it is none."""
        line = protocol.encode(dict(fields, event=event))
        if len(line) > protocol.MAX_LINE - ROOM:
            raise protocol.BadMessage("an entry of {} bytes is too long".format(len(line)))
        end = os.fstat(self._descriptor).st_size
        written = os.write(self._descriptor, line)
        if written != len(line):  # half a line is taken back, so that another one can follow
            os.ftruncate(self._descriptor, end)
            raise OSError(28, "no space left for the journal")
        os.fsync(self._descriptor)

    def log(self, text):
        """Lines for people, cut into entries of a length that always fits."""
        text = protocol.plain(text)
        for start in range(0, len(text), LOG_PIECE):
            self.add("log", text=text[start : start + LOG_PIECE])


class Reader:
    """The other end: entries one by one, as far as they are complete."""

    def __init__(self, folder):
        self.number = 0
        self._file = open(os.path.join(folder, NAME), "rb", 0)  # noqa: SIM115 - closed by the with statement
        self._rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def next(self):
        """(number, line, message) of the next entry; None when there is none yet."""
        while b"\n" not in self._rest:
            more = self._file.read(protocol.MAX_LINE)
            if not more:
                return None
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        number, self.number = self.number, self.number + 1
        return number, line, protocol.decode(line)


def sent(number, line):
    """An entry's line as it is sent: with its number."""
    return b'{"entry":%d,%s\n' % (number, line[1:])
