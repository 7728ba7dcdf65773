"""From an address to a transport on which we are logged in, or a failure with its own code."""

import contextlib
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import cast

import paramiko

from workers.link import sockets
from workers.link.base import board_failure
from workers.link.watchdog import Watchdog

CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
DIGESTS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")
HOST_KEYS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")
WINDOW = 4 * 1024 * 1024
LOST = (paramiko.SSHException, EOFError, OSError)


@dataclass(frozen=True)
class SshTarget:
    """Where a board is and who it must be: `host_key` is the pinned public key line."""

    host: str
    port: int
    user: str
    host_key: str


class Transport(paramiko.Transport):
    """A transport on which a lost connection is found by its reader alone.

    paramiko 5 acknowledges what a channel has received before it hands it out, and raises when that fails: up to a
    window of bytes that had arrived would be lost.
    """

    def _send_user_message(self, data: paramiko.Message) -> None:
        # EOFError is every failed write; the reader meets the same end behind the last byte.
        with contextlib.suppress(EOFError):
            super()._send_user_message(data)  # type: ignore[misc]

    def get_exception(self) -> Exception | None:
        """What ended it. Bytes that were damaged on the way make the reader fail in any way, not only in LOST's."""
        error = super().get_exception()
        if error is None or isinstance(error, LOST):
            return error
        damaged = paramiko.SSHException(f"what arrived makes no sense: {words(error)}")
        damaged.__cause__ = error
        return damaged


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds: for the login, for one answer of a channel, for lost packets."""

    connect_s: float = 10.0
    channel_s: float = 20.0
    user_timeout_s: float = 15.0
    keepalive_s: int = 10


PATIENT = Patience()


def scan_host_key(host: str, port: int, patience: Patience = PATIENT) -> str:
    """The public key line that this server shows now; nobody logs in. Raises "board:unreachable"."""
    transport = _handshake(host, port, (*HOST_KEYS, *RSA_SIGNATURES), patience)
    try:
        key = _shown_key(transport)
        return f"{key.get_name()} {key.get_base64()}"
    finally:
        give_back(transport)


def check_host_key(target: SshTarget, patience: Patience = PATIENT) -> None:
    """Nobody logs in. Raises "board:host-key-changed" when the server does not have the pinned key."""
    give_back(_pinned_transport(target, patience))


def log_in(target: SshTarget, private_key: str, patience: Patience) -> paramiko.Transport:
    """A transport on which `target.user` is logged in with this private key in OpenSSH's form.

    Raises "board:unreachable", "board:host-key-changed" (before any login is tried) or "board:login-refused".
    """
    transport = _pinned_transport(target, patience)
    try:
        _show_key(transport, target.user, private_key, patience)
    except BaseException:
        give_back(transport)
        raise
    transport.set_keepalive(patience.keepalive_s)
    return transport


def _pinned_transport(target: SshTarget, patience: Patience) -> paramiko.Transport:
    """An encrypted transport to the server that has the pinned key, nobody logged in."""
    pinned = target.host_key.split()[:2]
    kinds = RSA_SIGNATURES if pinned[0] == "ssh-rsa" else (pinned[0],)
    transport = _handshake(target.host, target.port, kinds, patience)
    try:
        shown = _shown_key(transport)
        if [shown.get_name(), shown.get_base64()] != pinned:
            raise board_failure("board:host-key-changed", f"it shows {shown.fingerprint}")
    except BaseException:
        give_back(transport)
        raise
    return transport


def _shown_key(transport: paramiko.Transport) -> paramiko.PKey:
    """The key that the server has proved to have. Raises "board:unreachable" when the link broke just then."""
    try:
        return transport.get_remote_server_key()
    except LOST as error:
        raise board_failure("board:unreachable", f"lost before the login: {words(error)}") from error


def _handshake(host: str, port: int, key_kinds: Sequence[str], patience: Patience) -> paramiko.Transport:
    """An encrypted transport, nobody logged in; after a failure no thread and no socket is left."""
    deadline = time.monotonic() + patience.connect_s
    wire = sockets.dial(host, port, timeout_s=patience.connect_s, user_timeout_s=patience.user_timeout_s)
    transport = None
    watchdog = Watchdog(lambda: sockets.cut(wire), deadline)
    try:
        sockets.expect_ssh(wire, deadline)
        transport = _transport(wire, key_kinds, patience)
        transport.start_client(timeout=patience.connect_s)
    except BaseException as error:
        if transport is not None:
            transport.packetizer.complete_handshake()  # else its timer's thread outlives the failure
            transport.close()
        sockets.cut(wire)
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
            raise _no_common_ground(error, key_kinds) from error
        if isinstance(error, LOST):
            raise board_failure("board:unreachable", f"{host}:{port}: {words(error)}") from error
        raise
    finally:
        watchdog.stop()
    return transport


def _transport(wire: socket.socket, key_kinds: Sequence[str], patience: Patience) -> paramiko.Transport:
    transport = Transport(wire, default_window_size=WINDOW)
    transport.banner_timeout = transport.auth_timeout = patience.connect_s
    transport.handshake_timeout = patience.connect_s
    wanted = transport.get_security_options()
    wanted.ciphers, wanted.digests, wanted.key_types = CIPHERS, DIGESTS, tuple(key_kinds)
    return transport


def _no_common_ground(error: Exception, key_kinds: Sequence[str]) -> Exception:
    if "host key" in str(error) and len(key_kinds) <= len(RSA_SIGNATURES):
        return board_failure("board:host-key-changed", f"it no longer has a host key of kind {key_kinds[0]}")
    advice = "an old dropbear needs an ECDSA or ed25519 host key" if "host key" in str(error) else ""
    return board_failure("board:unreachable", f"no common algorithm: {error}. {advice}".strip())


def _show_key(transport: paramiko.Transport, user: str, private_key: str, patience: Patience) -> None:
    watchdog = Watchdog(lambda: cut_wire(transport), time.monotonic() + patience.connect_s)
    try:
        transport.auth_publickey(user, _read_key(private_key))
    except paramiko.AuthenticationException as error:
        if watchdog.fired or "timeout" in str(error).lower():
            raise board_failure("board:unreachable", "no answer to the login") from error
        if not transport.is_active():  # nobody refused anything: the link broke
            raise board_failure("board:unreachable", f"lost during the login: {words(error)}") from error
        raise board_failure("board:login-refused", f"user {user}: {words(error)}") from error
    except LOST as error:
        raise board_failure("board:unreachable", f"lost during the login: {words(error)}") from error
    finally:
        watchdog.stop()


def _read_key(private_key: str) -> paramiko.PKey:
    """The key of a text in OpenSSH's form. Raises "board:login-refused" when we can show none like it."""
    kinds: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
    for kind in kinds:
        with contextlib.suppress(paramiko.SSHException, ValueError):
            return kind.from_private_key(StringIO(private_key))
    raise board_failure("board:login-refused", "the stored key is of no kind that opens boards")


def give_back(transport: paramiko.Transport) -> None:
    """Close the transport and its socket; its thread is gone afterwards."""
    transport.close()
    cut_wire(transport)


def cut_wire(transport: paramiko.Transport) -> None:
    """End the connection under a transport; whoever waits on it gets an error."""
    sockets.cut(cast(socket.socket, transport.sock))


def words(error: BaseException) -> str:
    """What an exception says, or its name when it says nothing."""
    return str(error) or type(error).__name__
