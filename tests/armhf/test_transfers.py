"""Files to and from real boards: dropbear without SFTP, busybox instead of GNU, full disks, and links that break."""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.armhf.board import EMULATED, EmulatedBoard
from tests.armhf.conftest import Boards, soon
from tests.armhf.test_boards import says, wait_for
from workers.errors import JobError

MB = 1024 * 1024
THERE = "/userdata/a 'strange' \"name\" $HOME \\ ;*"
IMPATIENT = replace(EMULATED, channel_s=3.0, user_timeout_s=3.0)


@pytest.fixture(params=["python3.11-sshd", "python3.9-busybox", "no-python"])
def board(request: pytest.FixtureRequest, boards: Boards) -> EmulatedBoard:
    """A healthy board of each userland; tests must leave it as it was."""
    return boards(request.param)


def random_file(path: Path, size: int) -> Path:
    path.write_bytes(os.urandom(size))
    return path


@pytest.mark.usefixtures("nothing_leaks")
@pytest.mark.parametrize("size", [0, 1, 100_000, 17 * MB])
def test_a_file_goes_there_and_back(board: EmulatedBoard, tmp_path: Path, size: int) -> None:
    source, back = random_file(tmp_path / "source", size), tmp_path / "back"
    with board.connect() as link:
        link.put(source, THERE, deadline=soon())
        link.get(THERE, back, deadline=soon(), max_bytes=size)
    assert back.read_bytes() == source.read_bytes()


def test_the_board_hashes_as_we_do(board: EmulatedBoard, tmp_path: Path) -> None:
    source = random_file(tmp_path / "source", 5000)
    with board.connect() as link:
        link.put(source, "/userdata/file", deadline=soon())
    assert (
        says(board, "sha256sum", "/userdata/file").split()[0]
        == hashlib.sha256(source.read_bytes()).hexdigest()
    )


def test_a_file_is_readable_for_its_owner_alone(board: EmulatedBoard, tmp_path: Path) -> None:
    with board.connect() as link:
        link.put(random_file(tmp_path / "source", 10), "/userdata/private", deadline=soon())
    assert says(board, "ls", "-l", "/userdata/private").startswith("-rw------- ")


@pytest.mark.parametrize("size", [9 * MB, 20 * MB])
def test_a_full_disk_is_told(board: EmulatedBoard, tmp_path: Path, size: int) -> None:
    with board.connect() as link, pytest.raises(JobError) as caught:
        link.put(random_file(tmp_path / "source", size), "/mnt/there", deadline=soon())
    says(board, "sh", "-c", "rm -f /mnt/*")
    assert caught.value.code == "board:disk-full"


def test_no_file_stands_on_a_full_disk(board: EmulatedBoard, tmp_path: Path) -> None:
    with board.connect() as link, pytest.raises(JobError):
        link.put(random_file(tmp_path / "source", 9 * MB), "/mnt/there", deadline=soon())
    assert "there" not in says(board, "ls", "/mnt")


def test_a_missing_file_is_a_bad_answer(board: EmulatedBoard, tmp_path: Path) -> None:
    with board.connect() as link, pytest.raises(JobError) as caught:
        link.get("/userdata/nothing", tmp_path / "back", deadline=soon(), max_bytes=MB)
    assert caught.value.code == "board:bad-answer"


FAULTS: dict[str, Callable[[EmulatedBoard], None]] = {
    "plug pulled": lambda board: board.net.pull(),
    "packets swallowed": lambda board: board.net.block(),
    "power lost": lambda board: board.switch_off(),
    "frozen": lambda board: board.freeze(),
}


def broken_put(board: EmulatedBoard, source: Path, fault: str) -> tuple[str, float]:
    """The failure's code when the board is struck as soon as a part of the file has arrived, and seconds after that."""
    struck: list[float] = []
    part = board.files / "userdata/there.part"

    def strike() -> None:
        wait_for(lambda: part.exists() and part.stat().st_size > MB, 60)
        struck.append(time.monotonic())
        FAULTS[fault](board)

    thread = threading.Thread(target=strike)
    with board.connect(patience=IMPATIENT) as link:
        link.run(["true"], deadline=soon())
        thread.start()
        with pytest.raises(JobError) as caught:
            link.put(source, "/userdata/there", deadline=soon())
        ended = time.monotonic()
        thread.join()
    return caught.value.code, ended - struck[0]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_transfer_that_is_struck_ends_soon(own_board: EmulatedBoard, tmp_path: Path, fault: str) -> None:
    code, seconds = broken_put(own_board, random_file(tmp_path / "source", 60 * MB), fault)
    assert (code, seconds < 40) == ("board:link-lost", True), seconds


def test_a_frozen_board_does_not_outlive_the_deadline(own_board: EmulatedBoard) -> None:
    with own_board.connect() as link:
        own_board.freeze()
        with pytest.raises(JobError) as caught:
            link.run(["true"], deadline=soon(1))
    assert caught.value.code == "board:timed-out"


@pytest.mark.parametrize("fault", ["plug pulled", "power lost"])
def test_a_broken_transfer_leaves_no_half_file(own_board: EmulatedBoard, tmp_path: Path, fault: str) -> None:
    broken_put(own_board, random_file(tmp_path / "source", 60 * MB), fault)
    assert not (own_board.files / "userdata/there").exists()


def test_a_broken_transfer_can_be_made_again(own_board: EmulatedBoard, tmp_path: Path) -> None:
    source = random_file(tmp_path / "source", 60 * MB)
    broken_put(own_board, source, "power lost")
    own_board.reboot()
    with own_board.connect() as link:
        link.put(source, "/userdata/there", deadline=soon())
    assert (own_board.files / "userdata/there").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("own_board", ["python3.11-sshd", "python3.11-dropbear"], indirect=True)
def test_without_sha256sum_a_file_goes_by_sftp(own_board: EmulatedBoard, tmp_path: Path) -> None:
    source, back = random_file(tmp_path / "source", 3 * MB), tmp_path / "back"
    with own_board.connect() as link:
        link.run(["rm", "/usr/bin/sha256sum"], deadline=soon())
        link.put(source, "/userdata/there", deadline=soon())
        link.get("/userdata/there", back, deadline=soon(), max_bytes=3 * MB)
    assert back.read_bytes() == source.read_bytes()
