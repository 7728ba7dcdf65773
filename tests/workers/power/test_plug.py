"""A call to a smart plug: where it may go, what it says, and what answers cannot do to us."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from workers.errors import JobError
from workers.power.plug import MOST_ANSWER, call, is_allowed

Answer = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\non"


class Plug:
    """A server on loopback that answers each connection with `answer`, and remembers what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[bytes] = []
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                try:
                    self.asked.append(connection.recv(65536))
                    self._answer(connection)
                except OSError:
                    continue  # the caller has had enough

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def address(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
def plug(settings: Settings) -> Iterator[Callable[[Answer], Plug]]:
    settings.POWER_NETWORKS = ["127.0.0.0/8"]
    made: list[Plug] = []

    def make(answer: Answer) -> Plug:
        made.append(Plug(answer))
        return made[-1]

    yield make
    for one in made:
        one.close()


def says(data: bytes) -> Answer:
    return lambda connection: connection.sendall(data)


def refusal(address: str, seconds: float = 10) -> str:
    with pytest.raises(JobError) as refused:
        call("POST", address, (), seconds)
    assert refused.value.code == "board:switch-failed"
    return refused.value.detail


def test_a_plug_is_called_with_method_path_query_and_headers(plug: Callable[[Answer], Plug]):
    there = plug(says(OK))
    call("POST", there.address("/relay/0?turn=off"), [("X-Key", "hush")], 10)
    [asked] = there.asked
    assert asked.startswith(b"POST /relay/0?turn=off HTTP/1.1\r\n")
    assert b"\r\nX-Key: hush\r\n" in asked


def test_the_host_header_is_what_was_written(plug: Callable[[Answer], Plug]):
    there = plug(says(OK))
    call("GET", there.address(), [], 10)
    assert f"\r\nHost: 127.0.0.1:{there.port}\r\n".encode() in there.asked[0]


def test_the_answer_is_its_status_and_first_words(plug: Callable[[Answer], Plug]):
    assert call("GET", plug(says(OK)).address(), [], 10) == "200 on"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_refused_and_not_followed(plug: Callable[[Answer], Plug], status: int):
    other = plug(says(OK))
    answer = f"HTTP/1.1 {status} Moved\r\nLocation: {other.address()}\r\nContent-Length: 0\r\n\r\n"
    told = refusal(plug(says(answer.encode())).address())
    assert ("Redirects are not followed" in told, other.asked) == (True, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503])
def test_other_answers_are_failures(plug: Callable[[Answer], Plug], status: int):
    answer = f"HTTP/1.1 {status} No\r\nContent-Length: 4\r\n\r\nnope"
    assert f"answered with status {status}. nope" in refusal(plug(says(answer.encode())).address())


def test_proxies_of_the_environment_are_not_asked(
    plug: Callable[[Answer], Plug], monkeypatch: pytest.MonkeyPatch
):
    proxy, there = plug(says(OK)), plug(says(OK))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.address())
    call("GET", there.address(), [], 10)
    assert (len(there.asked), proxy.asked) == (1, [])


def drip(connection: socket.socket) -> None:
    """A header line that never ends, a byte at a time: every single wait is short."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def silent(connection: socket.socket) -> None:
    """Take all that is said, until the caller has had enough."""
    while connection.recv(65536):
        pass


def drip_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize("answer", [drip, silent, drip_body])
def test_a_slow_answer_ends_at_the_deadline(plug: Callable[[Answer], Plug], answer: Answer):
    began = time.monotonic()
    told = refusal(plug(answer).address(), seconds=0.5)
    assert ("no answer in time" in told, time.monotonic() - began < 20) == (True, True)


def flood(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(10_000):
        connection.sendall(b"x" * 65536)


def test_of_an_endless_answer_only_the_beginning_is_read(plug: Callable[[Answer], Plug]):
    told = call("GET", plug(flood).address(), [], 20)
    assert len(told) < MOST_ANSWER


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\x00" * 100, b"HTTP/9.9 x\r\n\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500],
)
def test_garbage_is_a_failure(plug: Callable[[Answer], Plug], garbage: bytes):
    assert refusal(plug(says(garbage)).address()) != ""


def test_nobody_there_is_a_failure(settings: Settings):
    settings.POWER_NETWORKS = ["127.0.0.0/8"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "127.0.0.1: ConnectionRefusedError" in refusal(f"http://127.0.0.1:{port}/")


HOSTILE = [
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://0.0.0.0/",
    "http://0/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://localhost/",
    "http://8.8.8.8/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
]


@pytest.mark.parametrize("address", HOSTILE)
def test_by_default_no_address_leads_to_this_machine_or_outside(address: str):
    assert "outside LAYERWISE_POWER_NETWORKS" in refusal(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://a@127.0.0.1/",
        "ftp://plug/",
        "http://plug /",
        "http://plug\r\nX: y/",
        "//plug/",
        "http://plug:0x50/",
    ],
)
def test_what_is_no_plain_address_is_refused_before_anything_is_looked_up(address: str):
    assert "LAYERWISE_POWER_NETWORKS" not in refusal(address)


@pytest.mark.parametrize(
    ("number", "allowed"),
    [
        ("10.0.0.1", True),
        ("192.168.7.9", True),
        ("::ffff:10.0.0.1", True),
        ("::ffff:127.0.0.1", False),
        ("172.32.0.1", False),
        ("fe80::1%eth0", False),
        ("100.64.0.1", False),
    ],
)
def test_numbers_count_as_what_they_are(number: str, allowed: bool):
    assert is_allowed(number) == allowed


def test_a_certificate_that_nobody_vouches_for_is_refused(settings: Settings, tmp_path: Path):
    settings.POWER_NETWORKS = ["127.0.0.0/8"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")], check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer_tls, args=(server, context))
        thread.start()
        told = refusal(f"https://127.0.0.1:{server.getsockname()[1]}/")
        thread.join()
    assert "CERTIFICATE_VERIFY_FAILED" in told


def _answer_tls(server: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = server.accept()
    connection.settimeout(10)
    with connection:
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            return
