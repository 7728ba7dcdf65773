"""Addresses that try to lead a worker elsewhere: a server listens where nobody may go, and nobody comes.

Allowed is 127.0.0.2 alone; the trap listens on every other address of this machine.
"""

import contextlib
import select
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from dashboard.boards.addresses import AddressRefused, check_address, whereabouts
from dashboard.boards.models import Board
from dashboard.projects.models import Project
from dashboard.registration.drafts import Draft, Unfit
from dashboard.registration.models import Probe, Registration
from dashboard.registration.services import begin, request_probe
from tests import factories
from tests.factories import owner_of
from workers.lookup import look_up
from workers.tasks import probe_task, run_task

ALLOWED = "127.0.0.2"
OTHER_SPELLINGS = [
    "2130706433", "0x7f000001", "017700000001", "0177.0.0.1", "0x7f.0.0.1", "127.1", "127.0.1", "0x7f.1",
    "127.000.000.001", "127.0.0.1.", "127.0.0.1/32", "127.0.0.1:22", "127.0.0.1 ", " 127.0.0.1", "127.0.0.1\n",
    "127.0.0.1\x00.lab", "127.0.0.1#.lab", "root@127.0.0.1", "http://127.0.0.1/", "[::1]", "[127.0.0.1]",
    "::1%lo", "fe80::1%lo", "127.0.0.1%lo",
    "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021",
    "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3", "0", "", ".", "a" * 64, "-x", "localhost.",
]  # fmt: skip
FORBIDDEN_NUMBERS = [
    "127.0.0.1", "127.0.0.3", "0.0.0.0", "::", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1",
    "0:0:0:0:0:ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "169.254.169.254",
    "224.0.0.1", "ff02::1", "255.255.255.255", "fe80::1", "100.64.0.1",
]  # fmt: skip
FORBIDDEN_NAMES = ["localhost", "LOCALHOST", "LocalHost"]


@dataclass(frozen=True)
class Trap:
    """Listens where nobody may go, on one port of every address of this machine."""

    port: int
    servers: list[socket.socket]

    def visits(self) -> int:
        """How many came since it was asked last, not counting those who came where they may."""
        count = 0
        while ready := select.select(self.servers, [], [], 0.0)[0]:
            for server in ready:
                with server.accept()[0] as visitor:
                    count += visitor.getsockname()[0] != ALLOWED
        return count


@pytest.fixture
def trap() -> Iterator[Trap]:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("0.0.0.0", 0)))]
        port = servers[0].getsockname()[1]
        if socket.has_ipv6:
            servers.append(stack.enter_context(socket.create_server(("::", port), family=socket.AF_INET6)))
        yield Trap(port, servers)


@pytest.fixture(autouse=True)
def narrow(settings: Settings) -> None:
    settings.BOARD_NETWORKS = [f"{ALLOWED}/32"]


def test_the_trap_would_notice_a_visit(trap: Trap) -> None:
    socket.create_connection(("127.0.0.1", trap.port)).close()
    assert trap.visits() == 1


@pytest.mark.parametrize("address", OTHER_SPELLINGS)
def test_an_address_has_one_spelling(address: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(address)


@pytest.mark.parametrize("address", FORBIDDEN_NUMBERS)
def test_numbers_outside_the_networks_are_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(address)


@pytest.mark.parametrize("address", ["::ffff:8.8.8.8", "0.0.0.0", "::", "ff02::1", "::ffff:0.0.0.0"])
def test_even_where_all_of_ipv6_may_hold_boards_some_numbers_are_refused(
    address: str, settings: Settings
) -> None:
    settings.BOARD_NETWORKS = ["::/0"]
    with pytest.raises(AddressRefused):
        check_address(address)


@pytest.mark.parametrize("address", [ALLOWED, f"::ffff:{ALLOWED}"])
def test_the_allowed_address_is_taken(address: str) -> None:
    check_address(address)


@pytest.mark.parametrize("address", OTHER_SPELLINGS + FORBIDDEN_NUMBERS + FORBIDDEN_NAMES)
def test_nobody_is_led_to_a_forbidden_address(address: str, trap: Trap) -> None:
    with contextlib.suppress(AddressRefused, OSError, UnicodeError):
        socket.create_connection((whereabouts(address, trap.port, look_up), trap.port), timeout=1).close()
    assert trap.visits() == 0


# the three ways that lead to a connection: registration, probe, run


@pytest.fixture
def project(transactional_db: None) -> Project:
    return factories.make_project()


def _register(project: Project, address: str, port: int) -> None:
    draft = Draft(name="trap", address=address, port=port)
    with contextlib.suppress(Unfit):
        registration = begin(project, [], draft, owner_of(project))
        probe_task(registration.probes.get().pk)
    for registration in Registration.objects.filter(name="trap"):  # also when the row came there otherwise
        Registration.objects.filter(pk=registration.pk).update(address=address)
        probe_task(Probe.objects.create(project=project, registration=registration, site="local").pk)


def _board(project: Project, address: str, port: int) -> Board:
    board = factories.make_board(project)
    Board.objects.filter(pk=board.pk).update(address=address, port=port)
    return board


def _probe(project: Project, address: str, port: int) -> None:
    probe_task(request_probe(_board(project, address, port), project, None).pk)


def _run(project: Project, address: str, port: int) -> None:
    board = _board(project, address, port)
    run = factories.make_queued_run(factories.make_artifact(_conversion(project)), board)
    run_task(run.pk)


def _conversion(project: Project) -> Any:
    return factories.make_conversion(factories.make_version(factories.make_model(project)))


STORABLE = [one for one in OTHER_SPELLINGS + FORBIDDEN_NUMBERS + FORBIDDEN_NAMES if "\x00" not in one]


@pytest.mark.parametrize("way", [_register, _probe, _run])
def test_no_worker_visits_a_forbidden_address(
    project: Project, trap: Trap, way: Callable[[Project, str, int], None]
) -> None:
    for address in STORABLE:
        way(project, address, trap.port)
        Registration.objects.all().delete()
    assert trap.visits() == 0


@pytest.mark.parametrize("way", [_register, _probe, _run])
def test_a_worker_visits_the_allowed_address(
    project: Project, trap: Trap, way: Callable[[Project, str, int], None]
) -> None:
    """Else the test above would pass without a worker."""
    with contextlib.suppress(OSError):
        trap.servers[-1].close()  # IPv6 is not needed here
        trap.servers.pop()
    trap.servers[0].settimeout(20)
    answer = _hang_up(trap.servers[0])
    way(project, ALLOWED, trap.port)
    assert answer() > 0


def _hang_up(server: socket.socket) -> Callable[[], int]:
    """Hangs up on whoever comes, so that they need not wait; how many came, once asked."""
    import threading

    came: list[int] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                server.accept()[0].close()
                came.append(1)

    thread = threading.Thread(target=serve)
    thread.start()

    def stop() -> int:
        server.shutdown(socket.SHUT_RDWR)
        thread.join(20)
        return len(came)

    return stop


class Rebinding:
    """A name server that says one thing when asked first, and another thing later."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: Any, port: Any, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, int(port or 0)))]


def test_a_name_is_looked_up_once_for_each_visit() -> None:
    names = Rebinding(ALLOWED, "127.0.0.1")
    assert (whereabouts("board.lab", 22, names), names.asked) == (ALLOWED, 1)


def test_of_several_numbers_an_allowed_one_is_taken() -> None:
    def both(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, 1, 6, "", (number, 22)) for number in ("127.0.0.1", ALLOWED, "8.8.8.8")]

    assert whereabouts("board.lab", 22, both) == ALLOWED


@pytest.mark.parametrize("way", [_register, _probe, _run])
def test_a_name_that_changes_its_mind_leads_nobody_astray(
    project: Project, trap: Trap, way: Callable[[Project, str, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's resolver, not ours, is the part that lies here."""
    for answers in (("127.0.0.1", ALLOWED), ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", ALLOWED)):
        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", Rebinding(*answers))
            way(project, "board.lab", trap.port)
        Registration.objects.all().delete()
    assert trap.visits() == 0
