"""`manage.py up` with everything real: Redis, the site, a Celery worker, the dispatcher, a simulated board."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.supervisor.kernel import descendants, start_ticks
from dashboard.supervisor.probes import ask
from tests.supervisor.processes import wait_until

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.integration


def greets(address: tuple[str, int]) -> bool:
    """Whether an SSH server answers there."""
    try:
        with socket.create_connection(address, 2) as link:
            return link.recv(4) == b"SSH-"
    except OSError:
        return False


class Up:
    """A running `manage.py up` on a data folder of its own."""

    def __init__(self, data: Path, *options: str) -> None:
        self.said_file = data / "said"
        self.run_file = data / "run.json"
        environment = {
            key: value
            for key, value in os.environ.items()
            if key not in ("REDIS_URL", "LAYERWISE_DATABASE_URL")
        }
        with self.said_file.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", *options],
                cwd=ROOT, env={**environment, "LAYERWISE_DATA": str(data)}, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    @property
    def said(self) -> str:
        return self.said_file.read_text()

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.run_file.read_text())
        return facts

    def serving(self) -> "Up":
        assert wait_until(lambda: "Serving" in self.said or self.process.poll() is not None, 90), self.said
        assert "Serving" in self.said, self.said
        return self

    def family(self) -> dict[int, int]:
        """Every process below it, each with its start, so that an id that is used again is told apart."""
        return {process: start_ticks(process) for process in descendants(self.process.pid)}

    def end(self) -> None:
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


def living(family: dict[int, int]) -> list[int]:
    """Those of a family that run still."""
    return [process for process, start in family.items() if start and start_ticks(process) == start]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Starts one that ends with the test, however that goes."""
    started: list[Up] = []

    def begin(*options: str) -> Up:
        started.append(Up(tmp_path, "--port", "0", *options))
        return started[-1]

    yield begin
    for running in started:
        running.end()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up"), "--port", "0", "--simboard", "1", "--processes", "1")
    try:
        yield running.serving()
    finally:
        running.end()


@pytest.mark.timeout(240)
def test_the_site_answers(up: Up) -> None:
    assert ask("127.0.0.1", up.facts["port"], "/healthz").status == 200


def test_everything_behind_the_site_is_ready(up: Up) -> None:
    assert ask("127.0.0.1", up.facts["port"], "/readyz").status == 200


def test_run_json_names_every_process(up: Up) -> None:
    assert set(up.facts["processes"]) == {"redis", "simboard", "worker", "boards", "dispatcher", "web"}


def test_the_simulated_board_greets(up: Up) -> None:
    with socket.create_connection(("127.0.0.1", up.facts["boards"][0]["port"]), timeout=5) as connection:
        assert connection.recv(4) == b"SSH-"


def test_a_killed_site_comes_back_on_its_port(up: Up) -> None:
    os.kill(up.facts["processes"]["web"], signal.SIGKILL)
    assert wait_until(lambda: "web ended with status 137" in up.said)
    assert wait_until(lambda: ask("127.0.0.1", up.facts["port"], "/healthz").status == 200, 30)


def test_a_killed_board_comes_back_on_its_port(up: Up) -> None:
    address = ("127.0.0.1", up.facts["boards"][0]["port"])
    before = up.facts["processes"]["simboard"]
    os.kill(before, signal.SIGKILL)
    assert wait_until(lambda: greets(address) and not Path(f"/proc/{before}").exists(), 60)


def test_a_killed_worker_takes_its_pool_along(up: Up) -> None:
    worker = up.facts["processes"]["worker"]
    pool = {process: start_ticks(process) for process in descendants(worker)}
    os.kill(worker, signal.SIGKILL)
    assert pool and wait_until(lambda: not living(pool), 5)


def test_a_program_hands_its_status_on_and_nothing_is_left(start: Callable[..., Up]) -> None:
    once = start("--run", "sh -c 'echo it ran; sleep 2; exit 7'", "--once")
    assert wait_until(lambda: "it ran" in once.said, 90), once.said
    family = once.family()
    assert (once.process.wait(40), living(family)) == (7, [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left(number: signal.Signals, start: Callable[..., Up]) -> None:
    up = start("--simboard", "1").serving()
    family = up.family()
    up.process.send_signal(number)
    up.process.wait(40)
    assert len(family) > 10 and wait_until(lambda: not living(family), 10), living(family)
