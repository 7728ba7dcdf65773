"""Logging in: every way it can fail ends soon, with its own code, and leaves no thread and no socket."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dashboard.boards.keys import BadKey, fingerprint
from tests.link.board import QUICK, KeyPair, RunningBoard, make_key_pair, running_board
from tests.link.proxy import proxy_to
from workers.errors import JobError, Temporary
from workers.link.ssh import SshTarget, connect, scan_host_key

SOON = replace(QUICK, connect_s=1.0)
KEYS = make_key_pair()
pytestmark = pytest.mark.usefixtures("nothing_leaks")


def _flood(end: socket.socket) -> None:
    while True:
        end.sendall(b"x" * 65536)


def _drip(end: socket.socket) -> None:
    while True:
        end.sendall(b"S")
        time.sleep(0.05)


def _silence(end: socket.socket) -> None:
    end.recv(1)


def _web_server(end: socket.socket) -> None:
    end.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    end.recv(1)


def _greet_and_hang(end: socket.socket) -> None:
    end.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    while end.recv(4096):
        pass


def _hang_up(end: socket.socket) -> None:
    end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def strange_server(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that behaves so on its first connection; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            end, _ = listener.accept()
            with end:
                behave(end)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.close()
    thread.join(5)


def _code_of(port: int) -> str:
    with pytest.raises(JobError) as caught:
        connect(SshTarget("127.0.0.1", port, "root", KEYS.public), KEYS.private, SOON)
    return caught.value.code


@pytest.mark.parametrize("behave", [_flood, _drip, _silence, _web_server, _greet_and_hang, _hang_up])
def test_a_strange_server_counts_as_unreachable(behave: Callable[[socket.socket], None]) -> None:
    with strange_server(behave) as port:
        assert _code_of(port) == "board:unreachable"


@pytest.mark.parametrize("at", range(0, 3000, 190))
def test_a_byte_damaged_during_the_login_is_a_failure_of_the_link(board: RunningBoard, at: int) -> None:
    with proxy_to(board.port) as proxy, contextlib.suppress(JobError):
        proxy.corrupt_down_at = at
        board.connect(port=proxy.port, patience=SOON).close()
    assert proxy.corrupt_down_at is None or sum(proxy.downs) <= at


@pytest.mark.parametrize("after", range(100, 3000, 290))
def test_a_link_cut_during_the_login_is_no_refusal(board: RunningBoard, after: int) -> None:
    with proxy_to(board.port) as proxy:
        proxy.cut_down_after = after
        try:
            board.connect(port=proxy.port, patience=SOON).close()
        except JobError as error:
            assert error.code == "board:unreachable"
        assert sum(proxy.downs) >= min(after, 1000)


def test_a_byte_damaged_between_two_commands_is_a_failure_of_the_link(board: RunningBoard) -> None:
    with proxy_to(board.port) as proxy, board.connect(port=proxy.port) as link:
        proxy.corrupt_down_at = proxy.downs[0]
        with pytest.raises(Temporary) as caught:
            link.run(["true"], deadline=time.monotonic() + 10)
    assert caught.value.code == "board:link-lost"


def test_a_silent_server_is_given_up_in_time() -> None:
    start = time.monotonic()
    with strange_server(_silence) as port:
        _code_of(port)
    assert time.monotonic() - start < 3


def test_a_refused_port_is_unreachable_for_now() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Temporary, match="refused"):
        connect(SshTarget("127.0.0.1", port, "root", KEYS.public), KEYS.private, SOON)


def test_a_changed_host_key_is_told_apart(board: RunningBoard) -> None:
    with pytest.raises(JobError) as caught:
        connect(board.target(host_key=KEYS.public), board.keys.private, QUICK)
    assert caught.value.code == "board:host-key-changed"


def test_a_changed_host_key_is_not_tried_again_by_itself(board: RunningBoard) -> None:
    with pytest.raises(JobError) as caught:
        connect(board.target(host_key=KEYS.public), board.keys.private, QUICK)
    assert not isinstance(caught.value, Temporary)


def test_nobody_tries_to_log_in_after_a_changed_host_key(board: RunningBoard) -> None:
    before = board.log.count("publickey")
    with pytest.raises(JobError):
        connect(board.target(host_key=KEYS.public), board.keys.private, QUICK)
    time.sleep(0.2)  # the server writes its log on its own time
    assert board.log.count("publickey") == before


def test_a_host_key_of_another_kind_counts_as_changed(board: RunningBoard) -> None:
    ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY="
    with pytest.raises(JobError) as caught:
        connect(board.target(host_key=ecdsa), board.keys.private, QUICK)
    assert caught.value.code == "board:host-key-changed"


@pytest.mark.parametrize(
    "curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name
)
def test_an_own_ecdsa_key_opens_the_board(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    keys = KeyPair.of(ec.generate_private_key(curve))
    with running_board(tmp_path, keys=keys) as board, board.connect() as link:
        assert link.run(["true"], deadline=time.monotonic() + 10).status == 0


def test_a_text_that_is_no_key_is_refused(board: RunningBoard) -> None:
    with pytest.raises(JobError, match="no kind that opens boards") as caught:
        connect(board.target(), "no key at all", QUICK)
    assert caught.value.code == "board:login-refused"


def test_an_rsa_key_that_the_board_does_not_know_is_refused(board: RunningBoard) -> None:
    rsa_key = KeyPair.of(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    with pytest.raises(JobError, match="Authentication failed") as caught:
        connect(board.target(), rsa_key.private, QUICK)
    assert caught.value.code == "board:login-refused"


def test_an_unknown_key_is_refused(board: RunningBoard) -> None:
    with pytest.raises(JobError) as caught:
        connect(board.target(), KEYS.private, QUICK)
    assert caught.value.code == "board:login-refused"


def test_an_unknown_user_is_refused(board: RunningBoard) -> None:
    with pytest.raises(JobError) as caught:
        connect(replace(board.target(), user="nobody-here"), board.keys.private, QUICK)
    assert caught.value.code == "board:login-refused"


def test_the_scanned_host_key_is_the_boards_own(board: RunningBoard) -> None:
    assert scan_host_key("127.0.0.1", board.port, QUICK) == board.ready["host_key"]


def test_the_fingerprint_is_the_one_the_board_prints(board: RunningBoard) -> None:
    assert fingerprint(str(board.ready["host_key"])) == board.ready["fingerprint"]


def test_a_scan_of_nothing_is_unreachable() -> None:
    with strange_server(_web_server) as port, pytest.raises(JobError) as caught:
        scan_host_key("127.0.0.1", port, SOON)
    assert caught.value.code == "board:unreachable"


def test_text_that_is_no_key_has_no_fingerprint() -> None:
    with pytest.raises(BadKey, match="not a public key"):
        fingerprint("ssh-ed25519")
