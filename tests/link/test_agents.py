"""Which agent serves a board: the one in Python, or the one in C where there is no usable Python."""

import os
import platform
import stat
import sys
from pathlib import Path

import pytest

from tests.link.artifacts import make_job
from tests.link.board import RunningBoard, small_userland
from workers.errors import JobError
from workers.link.bundle import agent_bundle
from workers.link.results import RunResult
from workers.link.session import BoardSession

ROOT = Path(__file__).resolve().parent.parent.parent
# Stands in for the program: the same verbs, by the Python agent, found by its full path.
STAND_IN = f"""#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
LAYERWISE_ROOT="$here" PYTHONPATH={ROOT} exec {sys.executable} -m boardagent "$@"
"""


@pytest.fixture
def c_agents(tmp_path: Path) -> Path:
    """A site's folder with an agent for this machine."""
    folder = tmp_path / "c-agents"
    folder.mkdir()
    (folder / f"layerwise-agent-{platform.machine()}").write_text(STAND_IN)
    return folder


def run_on(
    board: RunningBoard,
    files: dict[str, Path],
    into: Path,
    *,
    agent: str = "python",
    c_agents: Path | None = None,
) -> RunResult:
    with (
        board.connect() as link,
        BoardSession(link, board.workdir, agent=agent, c_agents=c_agents) as session,
    ):
        return session.run(make_job(modes=["plain"]), files, into, deadline_s=60, fence=1)


def agents_on(board: RunningBoard) -> list[str]:
    return sorted(path.suffix for path in Path(board.workdir).glob("agent-*"))


def test_a_board_with_python_is_served_by_the_python_agent(
    own_board: RunningBoard, files: dict[str, Path], into: Path, c_agents: Path
) -> None:
    run_on(own_board, files, into, c_agents=c_agents)
    assert agents_on(own_board) == [".pyz"]


def test_a_board_without_python_is_served_by_the_c_agent(
    own_board: RunningBoard, files: dict[str, Path], into: Path, c_agents: Path
) -> None:
    small_userland(own_board, python=False)
    result = run_on(own_board, files, into, c_agents=c_agents)
    assert (result.plain is not None, agents_on(own_board)) == (True, [""])


@pytest.mark.parametrize(
    "python",
    [
        "echo 'ModuleNotFoundError: json' >&2; exit 1",
        "exit 127",
        'case "$2" in *sys.version*) exit 1;; esac',
    ],
)
def test_a_python_that_lacks_something_counts_as_none(
    own_board: RunningBoard, files: dict[str, Path], into: Path, c_agents: Path, python: str
) -> None:
    link = own_board.folder / "bin" / "python3"
    link.unlink()
    link.write_text(f"#!/bin/sh\n{python}\n")
    link.chmod(0o755)
    run_on(own_board, files, into, c_agents=c_agents)
    assert agents_on(own_board) == [""]


def test_a_board_that_is_set_to_the_c_agent_gets_it(
    own_board: RunningBoard, files: dict[str, Path], into: Path, c_agents: Path
) -> None:
    run_on(own_board, files, into, agent="c", c_agents=c_agents)
    assert agents_on(own_board) == [""]


def test_without_python_and_without_an_agent_for_its_machine_it_is_said(
    own_board: RunningBoard, files: dict[str, Path], into: Path, tmp_path: Path
) -> None:
    small_userland(own_board, python=False)
    with pytest.raises(JobError, match=platform.machine()) as caught:
        run_on(own_board, files, into, c_agents=tmp_path / "nothing-here")
    assert caught.value.code == "board:no-python"


def test_the_c_agent_may_be_executed(
    own_board: RunningBoard, files: dict[str, Path], into: Path, c_agents: Path
) -> None:
    run_on(own_board, files, into, agent="c", c_agents=c_agents)
    [there] = Path(own_board.workdir).glob("agent-*")
    assert stat.S_IMODE(there.stat().st_mode) == 0o755


def test_the_c_agent_is_sent_only_once(
    own_board: RunningBoard, files: dict[str, Path], into: Path, c_agents: Path
) -> None:
    run_on(own_board, files, into, agent="c", c_agents=c_agents)
    [there] = Path(own_board.workdir).glob("agent-*")
    os.utime(there, (1, 1))
    with own_board.connect() as link:
        BoardSession(link, own_board.workdir, agent="c", c_agents=c_agents).hello()
    assert there.stat().st_mtime == 1


def test_a_board_tells_how_it_packs(own_board: RunningBoard) -> None:
    with own_board.connect() as link:
        info = BoardSession(link, own_board.workdir).hello()
    assert (info.kind, info.compressions, info.agent) == ("python", ("zlib",), agent_bundle().name)


def test_a_probe_shows_each_step(own_board: RunningBoard) -> None:
    steps: list[tuple[object, object]] = []
    with own_board.connect() as link:
        session = BoardSession(link, own_board.workdir)
        session.probe(lambda event: steps.append((event["name"], event["ok"])))
    assert steps == [("library", True), ("load", True), ("version", True)]
