"""The real agent on boards of other ages: sent once, introduced, and honest about what a board lacks."""

import pytest

from tests.armhf.board import EmulatedBoard
from tests.armhf.conftest import Boards
from tests.armhf.recipes import WITH_PYTHON
from tests.armhf.test_boards import says
from workers.errors import JobError
from workers.link.session import BoardSession

WORKDIR = "/userdata/layerwise"


@pytest.fixture(params=WITH_PYTHON)
def board(request: pytest.FixtureRequest, boards: Boards) -> EmulatedBoard:
    """A healthy board of each kind that has a whole Python."""
    return boards(request.param)


def test_a_board_tells_its_python(board: EmulatedBoard) -> None:
    with board.connect() as link:
        assert BoardSession(link, WORKDIR).hello().python.startswith(board.kind.python)


def test_a_board_tells_its_machine(board: EmulatedBoard) -> None:
    with board.connect() as link:
        assert BoardSession(link, WORKDIR).hello().machine == "armv7l"


def test_a_board_tells_its_boot_id(board: EmulatedBoard) -> None:
    with board.connect() as link:
        told = BoardSession(link, WORKDIR).hello().boot_id
    assert told == says(board, "cat", "/proc/sys/kernel/random/boot_id")


def test_a_board_tells_its_free_disk(board: EmulatedBoard) -> None:
    with board.connect() as link:
        assert BoardSession(link, "/mnt/layerwise").hello().disk_free_bytes < 8 * 1024 * 1024


def test_the_agent_is_sent_only_once(board: EmulatedBoard) -> None:
    with board.connect() as link:
        name = BoardSession(link, WORKDIR).deploy()
        says(board, "touch", "-d", "2001-01-01", f"{WORKDIR}/{name}")
        BoardSession(link, WORKDIR).deploy()
    assert "2001" in says(board, "ls", "-l", f"{WORKDIR}/{name}")


def test_an_account_without_rights_is_enough(board: EmulatedBoard) -> None:
    with board.connect(user="layerwise") as link:
        assert BoardSession(link, "layerwise").hello().machine == "armv7l"


def test_half_a_python_is_told_with_the_module_that_is_missing(boards: Boards) -> None:
    with (
        boards("half-a-python").connect() as link,
        pytest.raises(JobError, match="No module named") as caught,
    ):
        BoardSession(link, WORKDIR).hello()
    assert caught.value.code == "board:no-python"


def test_a_board_without_python_is_told(boards: Boards) -> None:
    with boards("no-python").connect() as link, pytest.raises(JobError) as caught:
        BoardSession(link, WORKDIR).hello()
    assert caught.value.code == "board:no-python"
