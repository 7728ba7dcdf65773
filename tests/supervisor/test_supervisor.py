"""The supervisor over stand-in services, as a real process: order, restarts, stops, nothing left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.supervisor.processes import wait_until, with_argument

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.integration


class StandIn:
    """A running stand-in supervisor and what it has said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said_file = folder.with_suffix(".said")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *names: str, until: str = "up") -> "StandIn":
        with self.said_file.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.supervisor.stand_in", str(self.folder), *names],
                cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        assert wait_until(lambda: until in self.said or self.process.poll() is not None), self.said
        return self

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process
        return self._process

    @property
    def said(self) -> str:
        return self.said_file.read_text()

    @property
    def others(self) -> dict[int, str]:
        """Keepers, services and what these have started."""
        return {key: text for key, text in with_argument(str(self.folder)).items() if key != self.process.pid}

    def services(self, of: str) -> list[int]:
        """Processes of services, without keepers and the supervisor."""
        return [key for key, text in self.others.items() if of in text and key not in self.keepers()]

    def keepers(self) -> list[int]:
        return [key for key, text in self.others.items() if "supervisor.keeper" in text]

    def end(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    running = StandIn(tmp_path / "data")
    yield running
    running.end()


def test_a_family_of_processes_runs_under_its_keeper(stand_in: StandIn) -> None:
    assert len(stand_in.start("family").services(of="SIG_IGN")) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_leaves_no_process(stand_in: StandIn, number: signal.Signals) -> None:
    stand_in.start("sleeper", "family")
    stand_in.process.send_signal(number)
    stand_in.process.wait(20)
    assert stand_in.others == {}


def test_a_stop_ends_with_status_0(stand_in: StandIn) -> None:
    stand_in.start("sleeper").process.send_signal(signal.SIGINT)
    assert stand_in.process.wait(20) == 0


def test_sigkill_of_the_supervisor_leaves_no_process(stand_in: StandIn) -> None:
    stand_in.start("sleeper", "family").process.kill()
    stand_in.process.wait(10)
    assert wait_until(lambda: not stand_in.others), stand_in.others


def test_sigkill_of_supervisor_and_service_at_once_leaves_no_process(stand_in: StandIn) -> None:
    stand_in.start("family")
    for process in [stand_in.process.pid, min(stand_in.services(of="SIG_IGN"))]:
        os.kill(process, signal.SIGKILL)
    stand_in.process.wait(10)
    assert wait_until(lambda: not stand_in.others), stand_in.others


def test_what_a_killed_keeper_leaves_is_killed_and_started_anew(stand_in: StandIn) -> None:
    stand_in.start("family")
    before = set(stand_in.services(of="SIG_IGN"))
    os.kill(stand_in.keepers()[0], signal.SIGKILL)
    assert wait_until(lambda: len(stand_in.services(of="SIG_IGN")) == 3 and not before & set(stand_in.others))


def test_a_service_that_dies_is_started_again(stand_in: StandIn) -> None:
    (first,) = stand_in.start("sleeper").services(of="sleep(600)")
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: (again := stand_in.services(of="sleep(600)")) and first not in again)


def test_a_restart_names_the_signal_that_ended_the_service(stand_in: StandIn) -> None:
    os.kill(stand_in.start("sleeper").services(of="sleep(600)")[0], signal.SIGKILL)
    assert wait_until(lambda: "sleeper ended with status 137; starting it again in 0.5 s" in stand_in.said)


def test_the_grandchildren_of_a_dead_service_are_killed_before_it_starts_again(stand_in: StandIn) -> None:
    stand_in.start("family")
    before = set(stand_in.services(of="SIG_IGN"))
    os.kill(min(before), signal.SIGKILL)
    assert wait_until(lambda: len(stand_in.services(of="SIG_IGN")) == 3 and not before & set(stand_in.others))


def test_a_service_that_keeps_ending_waits_longer_each_time(stand_in: StandIn) -> None:
    stand_in.start("leaver")
    assert wait_until(lambda: "again in 0.5 s" in stand_in.said and "again in 1 s" in stand_in.said)


def test_a_service_that_cannot_start_fails_the_start_and_shows_its_log(stand_in: StandIn) -> None:
    stand_in.start("sleeper", "breaker", until="failed")
    assert "breaker ended with status 3.\n  breaker | no luck" in stand_in.said


def test_a_failed_start_leaves_no_process(stand_in: StandIn) -> None:
    stand_in.start("family", "breaker", until="failed").process.wait(20)
    assert stand_in.others == {}


def test_a_service_that_never_becomes_ready_fails_the_start(stand_in: StandIn) -> None:
    stand_in.start("mute", until="failed")
    assert "mute was not ready after 3 s" in stand_in.said


def test_a_stop_while_starting_leaves_no_process(stand_in: StandIn) -> None:
    stand_in.start("sleeper", "mute", until="sleeper is ready").process.send_signal(signal.SIGTERM)
    stand_in.process.wait(20)
    assert stand_in.others == {}


def test_a_second_start_on_the_same_folder_is_refused(stand_in: StandIn) -> None:
    stand_in.start("sleeper")
    second = subprocess.run(
        [sys.executable, "-m", "tests.supervisor.stand_in", str(stand_in.folder), "sleeper"],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert f"already runs on {stand_in.folder} (process {stand_in.process.pid})" in second.stderr


def test_a_start_right_after_a_sigkill_waits_for_what_is_left(stand_in: StandIn) -> None:
    stand_in.start("family").process.kill()
    stand_in.process.wait(10)
    stand_in.start("sleeper")
    assert stand_in.services(of="SIG_IGN") == []


def test_services_start_in_order(stand_in: StandIn) -> None:
    said = stand_in.start("sleeper-1", "sleeper-2").said
    assert said.index("sleeper-1 is ready") < said.index("sleeper-2 is ready")


def test_a_service_writes_its_own_log(stand_in: StandIn) -> None:
    stand_in.start("sleeper")
    assert (stand_in.folder / "log" / "sleeper.log").read_text() == "ready\n"
