"""A logged-in connection: commands and files, each with a deadline, over one transport."""

import contextlib
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

import paramiko

from workers.errors import JobError
from workers.link import scripts
from workers.link.base import KEPT_OUTPUT, Completed, Received, board_failure, is_full_disk
from workers.link.localfile import Incoming, Outgoing
from workers.link.output import Lines, Tail
from workers.link.ssh.conversation import SshConversation
from workers.link.ssh.draining import drain
from workers.link.ssh.login import (
    LOST,
    PATIENT,
    WINDOW,
    Patience,
    SshTarget,
    cut_wire,
    give_back,
    log_in,
    words,
)
from workers.link.ssh.sftp import get_by_sftp, put_by_sftp
from workers.link.watchdog import Watchdog

PACKET = 256 * 1024
HASHING = 1_000_000  # bytes a second that the slowest board hashes and moves


def connect(target: SshTarget, private_key: str, patience: Patience = PATIENT) -> "SshLink":
    """Log in and return the link; see login.log_in for what it raises."""
    return SshLink(log_in(target, private_key, patience), patience)


class SshLink:
    """A logged-in connection (see base.Link), for one thread. Close it, or use it in a with statement."""

    def __init__(self, transport: paramiko.Transport, patience: Patience) -> None:
        self._transport = transport
        self._patience = patience
        self._programs: bool | None = None

    def __enter__(self) -> "SshLink":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; what still runs on the board notices by its closed pipes."""
        give_back(self._transport)

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

        with self._command(argv, deadline) as channel:
            self._send(channel, [memoryview(stdin or b"")])
            status = drain(channel, take, err.add, deadline=deadline, silence_s=silence_s)
        if lines:
            lines.end()
        return Completed(status, out.bytes(), err.bytes())

    def has_sftp(self, *, deadline: float) -> bool:
        """Does the server offer SFTP? Old dropbears do not."""
        try:
            with self._sftp(deadline):
                return True
        except JobError as error:
            if error.code == "board:link-lost" and self._transport.is_active():
                return False
            raise

    @contextlib.contextmanager
    def converse(
        self, argv: Sequence[str], *, deadline: float, silence_s: float
    ) -> Iterator[SshConversation]:
        """Run a command and speak with it: see base.Link."""
        with self._command(argv, deadline) as channel:
            yield SshConversation(
                channel,
                lambda data: self._say(channel, data),
                deadline=deadline,
                silence_s=silence_s,
            )

    def put(self, local: Path, remote: str, *, deadline: float) -> Received:
        """Send a file as the standard input of `cat`: see base.Link."""
        if not self._has_programs(deadline):
            return put_by_sftp(self._sftp(deadline), local, remote)
        out, err, outgoing = Tail(KEPT_OUTPUT), Tail(KEPT_OUTPUT), Outgoing(local)
        with self._command(scripts.putting(remote, outgoing.expected_size), deadline) as channel:
            with contextlib.closing(outgoing.blocks()) as blocks:
                self._send(channel, blocks)
            silence_s = self._patience.channel_s + outgoing.expected_size / HASHING
            status = drain(channel, out.add, err.add, deadline=deadline, silence_s=silence_s)
        return _verified(outgoing.received, Completed(status, out.bytes(), err.bytes()), remote)

    def get(
        self, remote: str, local: Path, *, deadline: float, max_bytes: int, sha256: str | None = None
    ) -> Received:
        """Fetch a file as the standard output of `cat`: see base.Link."""
        if not self._has_programs(deadline):
            return get_by_sftp(self._sftp(deadline), remote, local, max_bytes, sha256)
        sha256 = sha256 or self._hash_of(remote, deadline)
        err = Tail(KEPT_OUTPUT)
        with Incoming(local, max_bytes) as incoming:
            with self._command(scripts.shell(scripts.GET, remote), deadline) as channel:
                self._send(channel, [])
                status = drain(channel, incoming.add, err.add, deadline=deadline)
            if status != 0:
                words = err.bytes().decode(errors="replace")
                raise board_failure("board:bad-answer", f"{remote} cannot be read: {words}")
            return incoming.keep(sha256)

    def _hash_of(self, remote: str, deadline: float) -> str:
        done = self.run(scripts.shell(scripts.HASH, remote), deadline=deadline)
        if done.status != 0:
            raise board_failure("board:bad-answer", f"{remote} cannot be read: {done.complaint}")
        return done.stdout_tail.decode(errors="replace").split(" ")[0].strip()

    def _has_programs(self, deadline: float) -> bool:
        if self._programs is None:
            done = self.run(scripts.shell(scripts.NEEDED_PROGRAMS), deadline=deadline)
            self._programs = done.status == 0
        return self._programs

    @contextlib.contextmanager
    def _command(self, argv: Sequence[str], deadline: float) -> Iterator[paramiko.Channel]:
        """A channel on which `argv` runs; failures of the link become board:link-lost or board:timed-out."""
        with self._guarded(deadline):
            channel = self._transport.open_session(
                window_size=WINDOW, max_packet_size=PACKET, timeout=self._patience.channel_s
            )
            try:
                channel.settimeout(self._patience.channel_s)
                # exec: else a shell stands between us and signals. Every word is quoted by shlex.
                channel.exec_command(f"exec {shlex.join(argv)}")  # nosec B601
                yield channel
            finally:
                channel.close()

    @contextlib.contextmanager
    def _guarded(self, deadline: float) -> Iterator[None]:
        watchdog = Watchdog(lambda: cut_wire(self._transport), deadline)
        try:
            yield
        except JobError as error:
            if watchdog.fired and error.code == "board:link-lost":  # it is we who cut it
                raise _too_late() from error
            raise
        except LOST as error:
            if watchdog.fired:
                raise _too_late() from error
            raise board_failure("board:link-lost", words(error)) from error
        finally:
            watchdog.stop()

    def _send(self, channel: paramiko.Channel, blocks: Iterable[memoryview]) -> None:
        """Send as the whole standard input."""
        self._write(channel, blocks)
        if not channel.closed:
            channel.shutdown_write()

    def _say(self, channel: paramiko.Channel, data: memoryview) -> None:
        """Send a word. A lost link is no failure here: what arrived before is read first, and its end tells."""
        try:
            channel.sendall(cast(bytes, data))
        except OSError:
            if not channel.closed:
                raise

    def _write(self, channel: paramiko.Channel, blocks: Iterable[memoryview]) -> None:
        """Send as standard input. A command that stops listening says why in its outputs, not here."""
        for block in blocks:
            try:
                channel.sendall(cast(bytes, block))  # in slices: one sendall of a whole file is quadratic
            except OSError:
                if not channel.closed or not self._transport.is_active():
                    raise
                return

    @contextlib.contextmanager
    def _sftp(self, deadline: float) -> Iterator[paramiko.SFTPClient]:
        with self._guarded(deadline):
            sftp = paramiko.SFTPClient.from_transport(self._transport)
            if sftp is None:
                raise EOFError("no SFTP channel")
            with sftp:
                channel = sftp.get_channel()
                assert channel is not None
                channel.settimeout(self._patience.channel_s)
                yield sftp
                # dropbear takes the end of one SFTP server for that of the next if both come at once
                channel.shutdown_write()
                channel.status_event.wait(self._patience.channel_s)


def _too_late() -> JobError:
    return board_failure("board:timed-out", "the link was cut at the deadline")


def _verified(sent: Received, done: Completed, remote: str) -> Received:
    if is_full_disk(done.complaint):
        raise board_failure("board:disk-full", done.complaint)
    if done.status != 0:
        raise board_failure("board:link-lost", f"{remote} could not be written: {done.complaint}")
    if done.stdout_tail.split()[:1] != [sent.sha256.encode()]:
        raise board_failure("board:link-lost", f"{remote} arrived damaged")
    return sent
