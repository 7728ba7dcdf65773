"""What the agent says in lines: events that are checked before anybody sees them; all else is log."""

from collections.abc import Callable
from typing import Any

from boardagent import protocol
from workers.link import answer

Event = dict[str, Any]
Listener = Callable[[Event], None]
MOST_LINES = 100_000


def message_of(line: bytes) -> Event:
    """The message in a line; a line that is none is text for the log. "board:bad-answer" for a damaged one."""
    if not line.startswith(b"{"):
        return {"event": "log", "text": line.decode(errors="replace").replace("\0", " ")[:2000]}
    try:
        return protocol.decode(line)
    except protocol.BadMessage as error:
        raise answer.bad(f"a damaged message: {error}") from error


def pass_on(message: Event, listener: Listener) -> None:
    """Hand stage, log and step events to the listener, nothing in them but what the contract names."""
    kind = message.get("event")
    if kind == "stage":
        counts = {name: int(answer.number(message.get(name), name, 1e6)) for name in ("done", "total")}
        listener({"event": "stage", "name": answer.text(message.get("name"), "name", 60), **counts})
    elif kind == "log":
        listener({"event": "log", "text": answer.text(message.get("text"), "text", 4000)})
    elif kind == "step":
        words = {name: answer.text(message.get(name), name, 4000) for name in ("npu", "name", "text")}
        listener({"event": "step", "ok": message.get("ok") is True, **words})


class Hearing:
    """Listens to one verb: events are passed on, the wanted one is kept."""

    def __init__(self, wanted: str, listener: Listener) -> None:
        self.answer: Event | None = None
        self._wanted = wanted
        self._listener = listener
        self._lines = 0

    def line(self, data: bytes) -> None:
        """One line. Raises "board:bad-answer" for what only looks like an event, or too many of them."""
        self._lines += 1
        if self._lines > MOST_LINES:
            raise answer.bad(f"more than {MOST_LINES} lines")
        message = message_of(data)
        if message.get("event") == self._wanted:
            self.answer = message
        else:
            pass_on(message, self._listener)
