"""What a child process writes, made fit for keeping: events told from log text, log text cleaned and
bounded."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

LOG_BYTES = 2 << 20
LINE_BYTES = 64 << 10
EVENTS = 20_000
ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-_])")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def cleaned(line: bytes) -> str:
    """One line as people would have seen it: no colours, of a progress bar the last state, no control
    characters."""
    text = ESCAPES.sub("", line.decode("utf-8", "replace").rstrip("\r\n"))
    return CONTROLS.sub("", text.rpartition("\r")[2])


def parsed_event(line: bytes) -> dict[str, Any] | None:
    """The event that `line` holds, with checked fields; None when it is ordinary log text."""
    if not line.startswith(b'{"event"'):
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if event.get("event") == "stage" and isinstance(event.get("name"), str):
        done, total = event.get("done", 0), event.get("total", 0)
        if type(done) is int and type(total) is int:
            return {
                "event": "stage",
                "name": cleaned(event["name"][:200].encode(errors="replace")),
                "done": done,
                "total": total,
            }
    if event.get("event") == "log" and isinstance(event.get("text"), str):
        return {"event": "log", "text": cleaned(event["text"][:LINE_BYTES].encode(errors="replace"))}
    return None


@dataclass
class Channel:
    """Takes the raw bytes of a child's output and hands on events and log lines; never holds more than one
    line."""

    on_event: Callable[[dict[str, Any]], None]
    on_log: Callable[[str], None]
    kept: int = 0
    events: int = 0
    _rest: bytearray = field(default_factory=bytearray)
    _skipping: bool = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Lines longer than LINE_BYTES are cut."""
        if self.kept >= LOG_BYTES and b'{"event"' not in data and not self._rest:
            self._skipping = not data.endswith(b"\n")
            return  # A gigabyte of log costs reading, not parsing.
        *lines, last = data.split(b"\n")
        for line in lines:
            self._add(line)
            self._end_line()
        self._add(last)

    def close(self) -> None:
        """Hand on a last line that has no end."""
        if self._rest:
            self._end_line()

    def _add(self, part: bytes) -> None:
        if not self._skipping:
            self._rest += part[: LINE_BYTES - len(self._rest)]

    def _end_line(self) -> None:
        line, self._rest = bytes(self._rest), bytearray()
        self._skipping, skipped = False, self._skipping
        if skipped:
            return
        event = parsed_event(line)
        if event is None:
            self._log(cleaned(line))
        elif self.events < EVENTS:
            self.events += 1
            if event["event"] == "log":
                self._log(event["text"])
            else:
                self.on_event(event)

    def _log(self, text: str) -> None:
        if self.kept >= LOG_BYTES:
            return
        self.kept += len(text.encode()) + 1
        self.on_log(text if self.kept < LOG_BYTES else "[the log is cut here: it is longer than 2 MB]")
