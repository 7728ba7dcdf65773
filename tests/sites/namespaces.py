"""Network namespaces that are held by a descriptor: they have no name, and go with the process that made them.

Whatever is started while a thread is inside one lives in it, and dies with the test run; so a killed run leaves
nothing that a later one would have to clear.
"""

import contextlib
import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWNET = 0x40000000  # linux/sched.h
_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _here() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@dataclass(frozen=True)
class Namespace:
    """A network of its own, with nothing in it but loopback."""

    name: str
    descriptor: int

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Move this thread inside; new sockets and new processes are in there until the block ends."""
        before = _here()
        try:
            _call("setns", self.descriptor, CLONE_NEWNET)
            yield
        finally:
            _call("setns", before, CLONE_NEWNET)
            os.close(before)

    def ip(self, *words: str) -> None:
        """Run `ip` inside."""
        with self.entered():
            subprocess.run(["ip", *words], check=True, capture_output=True)

    def reaches(self, address: str, port: int) -> bool:
        """Does somebody in here get an answer from there?"""
        with self.entered():
            try:
                socket.create_connection((address, port), timeout=2).close()
            except OSError:
                return False
            return True

    def holds(self, process: int) -> bool:
        """Does this process live in here?"""
        return Path(f"/proc/{process}/ns/net").stat().st_ino == os.fstat(self.descriptor).st_ino

    def listeners(self) -> list[str]:
        """The addresses that somebody in here listens on, as /proc/net/tcp and tcp6 write them; 0A is LISTEN."""
        with self.entered():
            tables = [Path(f"/proc/thread-self/net/{name}").read_text() for name in ("tcp", "tcp6")]
        rows = [line.split() for table in tables for line in table.splitlines()[1:]]
        return [row[1] for row in rows if row[3] == "0A"]


@contextlib.contextmanager
def namespaces(*names: str) -> Iterator[list[Namespace]]:
    """New namespaces, for as long as the block lasts. Raises OSError for who may not make any."""
    made: list[Namespace] = []
    before = _here()
    try:
        for name in names:
            _call("unshare", CLONE_NEWNET)
            made.append(Namespace(name, _here()))
            _call("setns", before, CLONE_NEWNET)
        for namespace in made:
            namespace.ip("link", "set", "lo", "up")
        yield made
    finally:
        _call("setns", before, CLONE_NEWNET)
        os.close(before)
        for namespace in made:
            os.close(namespace.descriptor)


def link(one: Namespace, other: Namespace, ends: tuple[str, str], addresses: tuple[str, str]) -> None:
    """A cable between two namespaces: the names of its ends and their addresses, like 10.1.2.1/30."""
    far = f"/proc/{os.getpid()}/fd/{other.descriptor}"
    one.ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1], "netns", far)
    for namespace, end, address in zip((one, other), ends, addresses, strict=True):
        namespace.ip("address", "add", address, "dev", end)
        namespace.ip("link", "set", end, "up")
