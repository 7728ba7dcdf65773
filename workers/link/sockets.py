"""The TCP connection under SSH: opened, tuned so that a dead peer is noticed, and its first words checked."""

import contextlib
import socket
import time
from ipaddress import ip_address

from workers.link.base import board_failure

CLOSED = (
    "the connection was closed without an SSH greeting; "
    "a server that sees many connections without a login (dropbear: five a second) does this for a moment"
)
LONGEST_GREETING = 255  # RFC 4253, section 4.2


def dial(host: str, port: int, *, timeout_s: float, user_timeout_s: float) -> socket.socket:
    """Connect to a number; a name must have been looked up and checked before. Raises "board:unreachable"."""
    ip_address(host)  # else the resolver decided, unchecked, where this leads: ValueError, a bug of ours
    try:
        connection = socket.create_connection((host, port), timeout=timeout_s)
    except OSError as error:
        raise board_failure("board:unreachable", f"{host}:{port}: {error}") from error
    _tune(connection, user_timeout_s)
    return connection


def greeting(host: str, port: int, *, timeout_s: float) -> tuple[str, str]:
    """The first line of the SSH server there, and our own address on the way to it. Raises "board:unreachable"."""
    deadline = time.monotonic() + timeout_s
    connection = dial(host, port, timeout_s=timeout_s, user_timeout_s=timeout_s)
    try:
        return expect_ssh(connection, deadline)[:LONGEST_GREETING], str(connection.getsockname()[0])
    finally:
        cut(connection)


def _tune(connection: socket.socket, user_timeout_s: float) -> None:
    for level, option, value in (
        (
            socket.IPPROTO_TCP,
            socket.TCP_NODELAY,
            1,
        ),  # else each small command waits 40 ms
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(user_timeout_s * 1000)),
    ):
        connection.setsockopt(level, option, value)


def expect_ssh(connection: socket.socket, deadline: float) -> str:
    """The server's first line, looked at without taking it. Raises "board:unreachable" unless it is SSH's.

    paramiko itself would read any amount of garbage here, and a byte a second for ever.
    """
    seen = b""
    while not (b"\n" in seen or len(seen) >= LONGEST_GREETING):
        try:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            seen_now = connection.recv(LONGEST_GREETING, socket.MSG_PEEK)
        except OSError as error:
            raise board_failure("board:unreachable", f"no SSH greeting: {error}") from error
        if not seen_now:
            raise board_failure("board:unreachable", CLOSED)
        if time.monotonic() >= deadline:
            raise board_failure("board:unreachable", "no complete SSH greeting in time")
        if seen_now == seen:
            time.sleep(0.01)
        seen = seen_now
    if not seen.startswith((b"SSH-2.0-", b"SSH-1.99-")):
        raise board_failure("board:unreachable", f"what answers is not an SSH server: {seen[:40]!r}")
    return seen.splitlines()[0].decode("ascii", "replace")


def cut(connection: socket.socket) -> None:
    """End the connection now, whoever waits for it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
