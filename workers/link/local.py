"""The same protocol without a network: commands run on this machine; tests drive the real agent so."""

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from workers.link.base import KEPT_OUTPUT, Completed, Received, board_failure, is_full_disk
from workers.link.localfile import Incoming, Outgoing
from workers.link.output import Inbox, Lines, Tail, broke_off


class LocalLink:
    """See base.Link. `environment` is added to this process's own; a command's group dies with the call."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = {**os.environ, **(environment or {})}

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: float,
        stdin: bytes | None = None,
        on_line: Callable[[bytes], None] | None = None,
        max_output: int = KEPT_OUTPUT,
        silence_s: float | None = None,
    ) -> Completed:
        """Run a command: see base.Link."""
        out, err, lines = Tail(max_output), Tail(max_output), Lines(on_line) if on_line else None

        def take(data: bytes) -> None:
            out.add(data)
            if lines:
                lines.add(data)

        with _started(argv, self._environment) as process:
            _feed(process, stdin or b"")
            _read(process, take, err.add, deadline=deadline, silence_s=silence_s)
            status = process.wait()
        if lines:
            lines.end()
        return Completed(status if status >= 0 else None, out.bytes(), err.bytes())

    @contextlib.contextmanager
    def converse(
        self, argv: Sequence[str], *, deadline: float, silence_s: float
    ) -> Iterator["LocalConversation"]:
        """Run a command and speak with it: see base.Link."""
        with _started(argv, self._environment) as process:
            talk = LocalConversation(process, deadline, silence_s)
            with contextlib.closing(talk):
                yield talk

    def put(self, local: Path, remote: str, *, deadline: float) -> Received:  # a copy needs no deadline
        """Copy a file: see base.Link."""
        outgoing, part = Outgoing(local), Path(remote + ".part")
        try:
            with part.open("wb") as file:
                for block in outgoing.blocks():
                    file.write(block)
            part.replace(remote)
        except OSError as error:
            code = "board:disk-full" if is_full_disk(str(error)) else "board:link-lost"
            raise board_failure(code, str(error)) from error
        return outgoing.received

    def get(
        self, remote: str, local: Path, *, deadline: float, max_bytes: int, sha256: str | None = None
    ) -> Received:
        """Copy a file: see base.Link."""
        if not Path(remote).is_file():
            raise board_failure("board:bad-answer", f"{remote} cannot be read")
        there = Outgoing(Path(remote))
        with Incoming(local, max_bytes) as incoming:
            for block in there.blocks():
                incoming.add(bytes(block))
            return incoming.keep(sha256 or there.received.sha256)

    def close(self) -> None:
        """There is nothing to give back."""


@contextlib.contextmanager
def _started(argv: Sequence[str], environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    program = shutil.which(argv[0], path=environment.get("PATH"))
    if program is None:
        raise board_failure("board:no-python", f"there is no {argv[0]} on PATH")
    process = subprocess.Popen(
        [program, *argv[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class LocalConversation:
    """A command of this machine that is spoken with: see base.Conversation."""

    def __init__(self, process: "subprocess.Popen[bytes]", deadline: float, silence_s: float | None) -> None:
        self._process, self._deadline, self._silence_s = process, deadline, silence_s
        self._inbox = Inbox(self.more)
        self._err = Tail(KEPT_OUTPUT)
        self._heard = time.monotonic()
        self._unsaid = bytearray()
        self._selector = selectors.DefaultSelector()
        assert process.stdout is not None and process.stderr is not None and process.stdin is not None
        self._selector.register(process.stdout, selectors.EVENT_READ, self._came)
        self._selector.register(process.stderr, selectors.EVENT_READ, self._err.add)
        os.set_blocking(process.stdin.fileno(), False)

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
        self._unsaid += data
        assert self._process.stdin is not None
        try:
            del self._unsaid[: os.write(self._process.stdin.fileno(), self._unsaid)]
        except BlockingIOError:
            pass  # it goes with the next words
        except OSError:
            self._unsaid.clear()

    def completed(self) -> Completed:
        """How it ended: see base.Conversation."""
        status = self._process.wait()
        return Completed(status if status >= 0 else None, b"", self._err.bytes())

    def more(self) -> bool:
        """Wait until something came and was handed on; False when both outputs are over."""
        while self._selector.get_map():
            now = time.monotonic()
            if now >= self._deadline:
                raise board_failure("board:timed-out", "the command did not end in time")
            if self._silence_s is not None and now >= self._heard + self._silence_s:
                raise board_failure("board:link-lost", f"not a word for {self._silence_s:g} s")
            for key, _ in self._selector.select(min(0.1, self._deadline - now)):
                if data := os.read(key.fd, 64 * 1024):
                    self._heard = time.monotonic()
                    key.data(data)
                    return True
                self._selector.unregister(key.fileobj)
        return False

    def close(self) -> None:
        """Let go of the outputs."""
        self._selector.close()

    def _came(self, data: bytes) -> None:
        self._inbox.add(data)


def _feed(process: "subprocess.Popen[bytes]", data: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:
        process.stdin.write(data)


def _read(
    process: "subprocess.Popen[bytes]",
    out: Callable[[bytes], None],
    err: Callable[[bytes], None],
    *,
    deadline: float,
    silence_s: float | None,
) -> None:
    """Hand on both outputs until they end; "board:timed-out" and "board:link-lost" as on a real link."""
    with selectors.DefaultSelector() as selector:
        for stream, take in ((process.stdout, out), (process.stderr, err)):
            assert stream is not None
            selector.register(stream, selectors.EVENT_READ, take)
        heard = time.monotonic()
        while selector.get_map():
            now = time.monotonic()
            if now >= deadline:
                raise board_failure("board:timed-out", "the command did not end in time")
            if silence_s is not None and now >= heard + silence_s:
                raise board_failure("board:link-lost", f"not a word for {silence_s:g} s")
            for key, _ in selector.select(min(0.1, deadline - now)):
                data = os.read(key.fd, 64 * 1024)
                heard = time.monotonic()
                key.data(data) if data else selector.unregister(key.fileobj)
