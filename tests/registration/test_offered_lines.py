"""The account and the authorized_keys lines that pages offer, on a real sshd and a real dropbear.

The product works with them, and nothing else does.
"""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from dashboard import files
from dashboard.boards import keys
from dashboard.boards.models import Board, BoardState
from dashboard.boards.services import BoardSettings, add_board
from dashboard.projects.models import Project
from dashboard.registration.access import access_to
from dashboard.registration.models import Probe, Registration
from dashboard.registration.services import NEW, request_probe
from tests import factories
from tests.link.artifacts import make_artifact, make_inputs
from tests.registration.conftest import done, steps_of
from tests.registration.machine import Machine, machine, need
from workers.errors import JobError
from workers.link.ssh import SshTarget, scan_host_key
from workers.link.ssh.login import PATIENT, log_in
from workers.tasks import run_task

pytestmark = [pytest.mark.integration]
SERVERS = {"openssh": "sshd", "dropbear": "dropbear"}


@pytest.fixture(scope="module")
def private_key() -> str:
    return keys.new_private_key(keys.KeyKind.ECDSA)


@pytest.fixture(scope="module", params=SERVERS)
def own(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, private_key: str
) -> Iterator[Machine]:
    """A machine that was set up by nothing but what the page offers for its server."""
    need(SERVERS[request.param])
    asked = Registration(
        name="own", username="layerwise", npu="rknn1", public_key=keys.public_key(private_key)
    )
    access = access_to(asked, asked.public_key, "", "127.0.0.1")
    account = access.openssh_account if request.param == "openssh" else access.dropbear_account
    with machine(tmp_path_factory.mktemp("own"), request.param, account) as found:
        yield found


@pytest.fixture(scope="module")
def target(own: Machine) -> SshTarget:
    """Asked once: dropbear refuses a sixth connection without a login within a second or so."""
    return SshTarget("127.0.0.1", own.port, "layerwise", scan_host_key("127.0.0.1", own.port))


@pytest.fixture
def transport(target: SshTarget, private_key: str) -> Iterator[paramiko.Transport]:
    """A connection as the product makes it, for asking what the product never asks for."""
    opened = log_in(target, private_key, PATIENT)
    yield opened
    opened.close()


@pytest.fixture
def board(own: Machine, target: SshTarget, private_key: str, transactional_db: None) -> Board:
    settings = BoardSettings(
        name=f"own {own.server}", address="127.0.0.1", port=own.port, username="layerwise", npu="sim",
        host_key=target.host_key, private_key=private_key, simulated=True,
    )  # fmt: skip
    return add_board(settings, [factories.make_project()], state=BoardState.PAUSED, reason=NEW)


def test_a_probe_passes_with_the_offered_account(board: Board) -> None:
    probe = done(request_probe(board, board.projects.get(), None))
    assert (probe.failure, steps_of(probe)["npu"]) == ("", "ok")


def test_the_offered_account_is_not_root(board: Board) -> None:
    probe = done(request_probe(board, board.projects.get(), None))
    log_in_step = next(step for step in probe.shown_steps if step.name == "log-in")
    assert "user layerwise" in log_in_step.seen and "number 0" not in log_in_step.seen


def test_a_run_passes_with_the_offered_account(board: Board, tmp_path: Path) -> None:
    project: Project = board.projects.get()
    conversion = factories.make_conversion(factories.make_version(factories.make_model(project)))
    artifact = factories.make_artifact(conversion)
    artifact.sha256 = files.put_path(make_artifact(tmp_path / "artifact.onnx")).sha256
    artifact.inputs_sha256 = files.put_path(make_inputs(tmp_path / "inputs.safetensors")).sha256
    artifact.save()
    probe = done(request_probe(board, project, None))
    assert probe.first_run is not None
    run_task(probe.first_run.pk)
    ended = Probe.objects.get(pk=probe.pk).first_run
    assert ended is not None and (ended.state, ended.failure) == ("succeeded", "")


def test_no_port_of_the_board_is_reached_through_it(transport: paramiko.Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as behind:
        with pytest.raises(paramiko.ChannelException):
            transport.open_channel("direct-tcpip", behind.getsockname(), ("127.0.0.1", 0), timeout=10)
        behind.settimeout(0.2)
        with pytest.raises(TimeoutError):
            behind.accept()


def test_no_port_is_opened_on_the_board(transport: paramiko.Transport) -> None:
    with pytest.raises(paramiko.SSHException):
        transport.request_port_forward("127.0.0.1", 0)


def test_no_terminal_is_given(transport: paramiko.Transport) -> None:
    with transport.open_session(timeout=10) as channel, pytest.raises(paramiko.SSHException):
        channel.get_pty()


def test_no_agent_is_forwarded_though_it_is_asked_for(transport: paramiko.Transport) -> None:
    with transport.open_session(timeout=10) as channel:
        channel.request_forward_agent(lambda _: None)
        assert _output(channel, "echo [$SSH_AUTH_SOCK]") == "[]"


def test_no_window_is_forwarded_though_it_is_asked_for(transport: paramiko.Transport) -> None:
    with transport.open_session(timeout=10) as channel, pytest.raises(paramiko.SSHException):
        channel.request_x11()


def test_commands_are_what_is_left(transport: paramiko.Transport) -> None:
    with transport.open_session(timeout=10) as channel:
        assert _output(channel, "id -un") == "layerwise"


def test_an_openssh_line_binds_the_key_to_the_workers_address(private_key: str, tmp_path: Path) -> None:
    need("sshd")
    asked = Registration(name="own", username="layerwise", npu="sim")
    access = access_to(asked, keys.public_key(private_key), "", "192.0.2.1")  # nobody comes from there
    with machine(tmp_path / "bound", "openssh", access.openssh_account) as found:
        key = scan_host_key("127.0.0.1", found.port)
        with pytest.raises(JobError) as refused:
            log_in(SshTarget("127.0.0.1", found.port, "layerwise", key), private_key, PATIENT)
    assert refused.value.code == "board:login-refused"


@pytest.mark.parametrize("server", SERVERS)
def test_without_the_offered_options_the_same_servers_forward(
    private_key: str, tmp_path: Path, server: str
) -> None:
    """Else the refusals above would prove nothing."""
    need(SERVERS[server])
    asked, public = Registration(name="own", username="layerwise", npu="sim"), keys.public_key(private_key)
    access = access_to(asked, public, "")
    account = access.openssh_account.replace(access.openssh_line, public)
    with machine(tmp_path / "open", server, account) as found:
        key = scan_host_key("127.0.0.1", found.port)
        transport = log_in(SshTarget("127.0.0.1", found.port, "layerwise", key), private_key, PATIENT)
        with socket.create_server(("127.0.0.1", 0)) as behind:
            transport.open_channel("direct-tcpip", behind.getsockname(), ("127.0.0.1", 0), timeout=10)
            behind.settimeout(10)
            behind.accept()[0].close()
        transport.close()


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """An SSH agent's socket in the worker's environment, as a developer's shell has it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "agent"))
        listener.listen()
        listener.settimeout(0.2)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        yield listener


def test_a_worker_neither_asks_its_agent_nor_takes_it_along(agent: socket.socket, board: Board) -> None:
    assert os.environ["SSH_AUTH_SOCK"]
    probe = done(request_probe(board, board.projects.get(), None))
    with pytest.raises(TimeoutError):
        agent.accept()
    assert probe.failure == ""


def _output(channel: paramiko.Channel, command: str) -> str:
    channel.settimeout(10)
    channel.exec_command(command)
    return channel.makefile("rb").read().decode().strip()
