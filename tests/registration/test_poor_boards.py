"""Probes of boards that lack something: the same machine with another PATH."""

import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from dashboard.boards.models import Board, BoardState
from dashboard.projects.models import Project
from dashboard.registration.services import begin, confirm
from tests.boardagent_c.board import SOURCE
from tests.boardagent_c.conftest import build
from tests.factories import owner_of
from tests.link.board import RunningBoard, running_board
from tests.registration.conftest import SSHD, done, draft_of, failed_at, let_in

pytestmark = [pytest.mark.integration]


@pytest.fixture
def poor(tmp_path: Path, project: Project) -> Iterator[Callable[..., Board]]:
    """A confirmed board whose commands find only these programs; `scripts` are its own."""
    if SSHD is None:
        pytest.skip("no sshd on this machine (Debian package openssh-server)")
    with running_board(tmp_path / "poor", "--sshd", "openssh") as machine:

        def make(programs: str, **scripts: str) -> Board:
            _narrow(machine, programs.split(), scripts)
            registration = begin(project, [project], draft_of(machine, name="poor"), owner_of(project))
            done(registration.probes.get())
            registration.refresh_from_db()
            let_in(machine, registration.public_key)
            return confirm(registration, registration.host_key_fingerprint, None)

        yield make


def _narrow(machine: RunningBoard, programs: list[str], scripts: dict[str, str]) -> None:
    only = machine.folder / "only"
    only.mkdir()
    for name in programs:
        found = machine.folder / "bin" / name if name == "python3" else Path("/bin") / name
        (only / name).symlink_to(found if found.exists() else Path("/usr/bin") / name)
    for name, text in scripts.items():
        (only / name).write_text(f"#!/bin/sh\n{text}\n")
        (only / name).chmod(0o755)
    login = machine.folder / "login"
    login.write_text(login.read_text().replace("exec /bin/sh", f"export PATH={only}\nexec /bin/sh"))


ALL = "sh mkdir rm rmdir test uname id date cat wc sha256sum mv python3"
# as Debian's python3-minimal: it starts, and cannot import what the agent needs
PYTHON_WITHOUT_JSON = 'case "$*" in *sys.argv*) echo 3.9.2; echo missing json;; *) exit 1;; esac'


def test_a_board_with_no_more_than_it_needs_passes(poor: Callable[..., Board]) -> None:
    assert done(poor(ALL).probes.get()).failure == ""


def test_a_board_without_the_programs_is_served_by_sftp(poor: Callable[..., Board]) -> None:
    probe = done(poor("sh mkdir rm rmdir test uname id date python3").probes.get())
    userland = next(step for step in probe.shown_steps if step.name == "userland")
    assert (probe.failure, "SFTP, which is slower" in userland.seen) == ("", True)


def test_a_board_without_rm_is_told(poor: Callable[..., Board]) -> None:
    assert failed_at(done(poor("sh mkdir uname id").probes.get())) == ("userland", "board:no-programs")


def test_a_board_without_python_is_told(poor: Callable[..., Board]) -> None:
    board = poor(ALL.replace("python3", ""))
    assert failed_at(done(board.probes.get())) == ("python", "board:no-python")


def test_a_board_without_python_is_served_by_the_c_agent(
    poor: Callable[..., Board], tmp_path: Path, settings: Settings
) -> None:
    build(tmp_path / f"layerwise-agent-{platform.machine()}", SOURCE, options=["-O1"])
    settings.C_AGENTS = tmp_path
    board = poor(ALL.replace("python3", "chmod"))
    probe = done(board.probes.get())
    board.refresh_from_db()
    assert (probe.failure, board.agent, board.state) == ("", "c", BoardState.READY)


def test_a_python_without_the_modules_is_told_by_their_names(poor: Callable[..., Board]) -> None:
    board = poor(ALL.replace("python3", ""), python3=PYTHON_WITHOUT_JSON)
    step = next(step for step in done(board.probes.get()).shown_steps if step.name == "python")
    assert (step.code, "json" in step.seen) == ("board:no-python", True)


def test_a_wrong_clock_is_told_and_keeps_no_board_out(poor: Callable[..., Board]) -> None:
    board = poor(ALL.replace(" date", ""), date="echo 1500000000")
    probe = done(board.probes.get())
    board.refresh_from_db()
    assert (failed_at(probe), probe.failure, board.state) == (
        ("clock", "board:clock-wrong"),
        "",
        BoardState.READY,
    )


def test_a_board_that_answers_nonsense_breaks_nothing(poor: Callable[..., Board]) -> None:
    noise = "printf '\\000\\377\\033[31m<script>%0500d' 7"
    board = poor(ALL.replace(" id", "").replace(" uname", ""), id=noise, uname=noise)
    assert done(board.probes.get()).failure == ""
