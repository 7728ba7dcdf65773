"""A call to a smart plug over HTTP: to the address that its name has now and nowhere else, with a deadline.

The name is looked up once, the number is checked against LAYERWISE_POWER_NETWORKS and kept; redirects are not
followed, proxies of the environment not asked, and of the answer only so much is read.
"""

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings

from dashboard.boards.addresses import is_within
from dashboard.health.switches import BadSwitch, check_address_text
from workers.childlog import CONTROLS
from workers.link.watchdog import Watchdog
from workers.lookup import look_up
from workers.power.command import failed

KEPT_ANSWER = 2000
MOST_ANSWER = 64 * 1024
PORTS = {"http": 80, "https": 443}


def call(method: str, address: str, headers: Sequence[tuple[str, str]], seconds: float) -> str:
    """Call the address; the answer's status and first words. Raises "board:switch-failed" for all but a 2xx."""
    try:
        check_address_text(address)
    except BadSwitch as error:
        raise failed(str(error)) from error
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    number = pinned(host, port)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    deadline = time.monotonic() + seconds
    wire = _Wire(number, port, host if parts.scheme == "https" else "", seconds)
    watchdog = Watchdog(wire.cut, deadline)
    try:
        status, said = _speak(wire, method, path, {"Host": parts.netloc, **dict(headers)})
    except (OSError, http.client.HTTPException, ValueError) as error:
        # the wire's own limit is as long as the watchdog's, and either may be the first to end
        is_late = watchdog.fired or isinstance(error, TimeoutError)
        why = "no answer in time" if is_late else f"{type(error).__name__}: {error}"
        raise failed(f"{host}: {why}") from error
    finally:
        watchdog.stop()
        wire.cut()
    if watchdog.fired:
        raise failed(f"{host}: no answer in time")
    if not 200 <= status < 300:
        moved = " Redirects are not followed." if 300 <= status < 400 else ""
        raise failed(f"{host} answered with status {status}.{moved} {said}".strip())
    return f"{status} {said}".strip()


def pinned(host: str, port: int) -> str:
    """The number that the host's name has now. Raises "board:switch-failed" unless plugs may be there.

    All numbers of a name must be allowed: a name that also leads elsewhere is no plug's.
    """
    try:
        found = look_up(host, port)
    except (OSError, UnicodeError) as error:
        raise failed(f"{host[:200]}: {error}") from error
    numbers = [str(one[4][0]) for one in found]
    for number in numbers:
        if not is_allowed(number):
            raise failed(f"{host[:200]} is at {number}, outside LAYERWISE_POWER_NETWORKS.")
    return numbers[0]


def is_allowed(number: str) -> bool:
    """May a plug be at this number? Judged as boards' addresses are, by networks of its own."""
    return is_within(number, settings.POWER_NETWORKS)


def _speak(wire: "_Wire", method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    connection = wire.open()
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.putheader("Connection", "close")
    if method != "GET":
        connection.putheader("Content-Length", "0")
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, _text(answer.read(MOST_ANSWER))


def _text(body: bytes) -> str:
    return CONTROLS.sub("", body[:KEPT_ANSWER].decode(errors="replace")).strip()


class _Wire:
    """One connection to a number; `cut` ends it from another thread, whatever it waits for."""

    def __init__(self, number: str, port: int, tls_name: str, seconds: float) -> None:
        self._to = (number, port)
        self._tls_name = tls_name
        self._seconds = seconds
        self._socket: socket.socket | None = None
        self._is_cut = False

    def open(self) -> http.client.HTTPConnection:
        """Connect, with TLS where a name for it is given. Raises OSError."""
        connection = http.client.HTTPConnection(*self._to)
        plain = socket.create_connection(self._to, timeout=self._seconds)
        self._socket = plain
        if self._tls_name:
            self._socket = ssl.create_default_context().wrap_socket(plain, server_hostname=self._tls_name)
        if self._is_cut:
            raise TimeoutError("too late")
        connection.sock = self._socket
        return connection

    def cut(self) -> None:
        self._is_cut = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
