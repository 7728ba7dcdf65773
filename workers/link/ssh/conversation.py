"""A command on a channel that is spoken with: see base.Conversation."""

from collections.abc import Callable

import paramiko

from workers.link.base import KEPT_OUTPUT, Completed
from workers.link.output import Inbox, Tail, broke_off
from workers.link.ssh.draining import Reading


class SshConversation:
    """`send` writes to the command's standard input."""

    def __init__(
        self,
        channel: paramiko.Channel,
        send: Callable[[memoryview], None],
        *,
        deadline: float,
        silence_s: float,
    ) -> None:
        self._send = send
        self._err = Tail(KEPT_OUTPUT)
        self._reading = Reading(channel, self._came, self._err.add, deadline=deadline, silence_s=silence_s)
        self._inbox = Inbox(self._reading.more)

    def line(self) -> bytes | None:
        """The next line: see base.Conversation."""
        return self._inbox.line()

    def take(self, count: int) -> bytes:
        """The next bytes: see base.Conversation."""
        data = self._inbox.take(count)
        if data is None:
            raise broke_off(self.completed())
        return data

    def say(self, data: bytes) -> None:
        """Write to the command: see base.Conversation."""
        self._send(memoryview(data))

    def completed(self) -> Completed:
        """How it ended: see base.Conversation."""
        return Completed(self._reading.status(), b"", self._err.bytes())

    def _came(self, data: bytes) -> None:
        self._inbox.add(data)
