"""What has arrived of a run: its journal's entries and its files, straight to disk, across any number of links.

The board decides nothing here: entries come in order, names are plain and new, blocks lie where they belong, bytes
are counted against what was announced, and a file counts when its SHA-256 is the announced one.
"""

import contextlib
import time
import zlib
from pathlib import Path
from typing import Any

from boardagent import protocol
from workers.link import answer
from workers.link.answer import Announced
from workers.link.base import Conversation
from workers.link.hearing import MOST_LINES, Event, Listener, message_of, pass_on
from workers.link.localfile import Incoming

RESULT = "result.json"
MOST_FILES = 30_000
MOST_BYTES = 8 * 1024**3  # of a whole run
STORED_SPARE = 1024  # what zlib may add to a block that does not pack
ACK_S = 2.0
LARGE = 1 << 20  # a file whose arrival is shown, in megabytes


class Receiver:
    """A run's arrival. `entry` and `offset` say where to attach next: the entry, and the byte of its file.

    Close it in the end: what is not whole then is deleted.
    """

    def __init__(self, into: Path, listener: Listener) -> None:
        self.entry = 0
        self.files: dict[str, Announced] = {}
        self.is_whole = False
        self.reason_gone: str | None = None
        self.moved_at = time.monotonic()
        self.received_bytes = self.received_blocks = 0
        self._into, self._listener = into, listener
        self._current: _File | None = None
        self._announced_bytes = self._lines = 0
        self._said_at = 0.0

    @property
    def offset(self) -> int:
        """How many bytes of the current entry's file are here."""
        return self._current.size if self._current else 0

    def close(self) -> None:
        """Drop what did not arrive whole."""
        if self._current is not None:
            self._current.drop()
            self._current = None

    def hear(self, talk: Conversation) -> None:
        """Take what `attach` says until the end, or until it says no more. "board:bad-answer", "board:link-lost"."""
        while not self.is_whole and (line := talk.line()) is not None:
            before = self.entry
            self._message(message_of(line), talk)
            now = time.monotonic()
            if self.entry != before or now >= self._said_at + ACK_S:
                talk.say(protocol.encode({"have": self.entry}))
                self._said_at = now
                self._show_progress()

    def _message(self, message: Event, talk: Conversation) -> None:
        kind = message.get("event")
        if kind == "block":
            self._block(message, talk)
        elif kind == "gone":
            self.reason_gone = answer.text(message.get("text"), "text", 4000)
        elif kind == "beat":
            self._count_line()
            self.moved_at = time.monotonic()
            self._listener({"event": "beat"})
        elif "entry" in message:
            self._entry(message)
        else:
            self._count_line()
            pass_on(message, self._listener)

    def _entry(self, message: Event) -> None:
        self._count_line()
        if message["entry"] != self.entry or isinstance(message["entry"], bool):
            raise answer.bad(f"entry {str(message['entry'])[:20]} instead of {self.entry}")
        if message.get("event") == "file":
            self._file(message)
            return
        if self._current is not None:
            raise answer.bad(f"entry {self.entry} was a file before")
        if message.get("event") == "end":
            if RESULT not in self.files:
                raise answer.bad("the run ended without a result")
            self.is_whole = True
        pass_on(message, self._listener)
        self.entry += 1
        self.moved_at = time.monotonic()

    def _file(self, message: Event) -> None:
        name = answer.text(message.get("name"), "name", 100)
        known = self._current.announced.size if self._current else 0  # a file told of again counts once
        most = protocol.MAX_RESULT if name == RESULT else MOST_BYTES - self._announced_bytes + known
        announced = answer.announced(message, name[:60], most)
        if self._current is not None:
            if (name, announced) != (self._current.name, self._current.announced):
                raise answer.bad(f"entry {self.entry} is another file than before")
        elif not answer.PLAIN_NAME.fullmatch(name) or name in self.files or len(self.files) >= MOST_FILES:
            raise answer.bad(f"a file with the name {name[:60]!r}, the {len(self.files) + 1}th")
        elif RESULT in self.files:
            raise answer.bad("a file behind the result")
        else:
            self.moved_at = time.monotonic()
            self._announced_bytes += announced.size
            self._current = _File(self._into, name, announced)
        self._keep_if_whole()

    def _block(self, message: Event, talk: Conversation) -> None:
        plain = int(answer.number(message.get("plain"), "plain", protocol.MAX_BLOCK))
        stored = int(answer.number(message.get("stored"), "stored", protocol.MAX_BLOCK + STORED_SPARE))
        here = (message.get("entry"), message.get("offset"))
        if self._current is None or plain < 1 or here != (self.entry, self.offset):
            raise answer.bad("a block that nobody waits for")
        self._current.add(unpacked(message.get("method"), talk.take(stored), plain))
        self.received_bytes += plain
        self.received_blocks += 1
        self.moved_at = time.monotonic()
        self._listener({"event": "block", "name": self._current.name, "bytes": plain, "stored": stored})
        self._keep_if_whole()

    def _keep_if_whole(self) -> None:
        if self._current is not None and self._current.size == self._current.announced.size:
            self._current.keep()
            self.files[self._current.name] = self._current.announced
            self._current = None
            self.entry += 1

    def _show_progress(self) -> None:
        if self._current is not None and self._current.announced.size >= LARGE:
            done, total = self._current.size >> 20, self._current.announced.size >> 20
            self._listener({"event": "stage", "name": "fetching", "done": done, "total": total})

    def _count_line(self) -> None:
        self._lines += 1
        if self._lines > MOST_LINES:
            raise answer.bad(f"more than {MOST_LINES} lines")


class _File:
    """A file that is on its way; it stays open while the link is away."""

    def __init__(self, into: Path, name: str, announced: Announced) -> None:
        self.name, self.announced, self.size = name, announced, 0
        self._stack = contextlib.ExitStack()
        self._incoming = self._stack.enter_context(Incoming(into / name, announced.size))

    def add(self, data: bytes) -> None:
        self._incoming.add(data)
        self.size += len(data)

    def keep(self) -> None:
        with self._stack:
            self._incoming.keep(self.announced.sha256)

    def drop(self) -> None:
        self._stack.close()


def unpacked(method: object, stored: bytes, plain: int) -> bytes:
    """The `plain` bytes of a block. "board:bad-answer" when these are not exactly them."""
    if method == "raw":
        data = stored
    elif method == "zlib":
        unpacker = zlib.decompressobj()
        try:
            data = unpacker.decompress(stored, plain + 1)
        except zlib.error as error:
            raise answer.bad(f"a block cannot be unpacked: {error}") from error
        if not unpacker.eof or unpacker.unused_data:
            raise answer.bad("a block is packed into more or less than it says")
    else:
        raise answer.bad("a block is packed in an unknown way")
    if len(data) != plain:
        raise answer.bad(f"a block of {len(data)} bytes instead of {plain}")
    return data


def result_of(into: Path) -> dict[str, Any]:
    """The decoded result.json of a run that has arrived. "board:bad-answer"."""
    try:
        return protocol.decode((into / RESULT).read_bytes(), protocol.MAX_RESULT)
    except protocol.BadMessage as error:
        raise answer.bad(f"result.json: {error}") from error
