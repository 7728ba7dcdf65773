"""Files over a link: whole and verified, or not there at all, whatever happens on the way."""

import hashlib
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.link.board import QUICK, RunningBoard, small_userland
from tests.link.proxy import proxy_to
from workers.errors import JobError
from workers.link.ssh import Patience

MB = 1024 * 1024
STRANGE_NAME = "a 'strange' \"name\" $HOME \\ ;*"
IMPATIENT = replace(QUICK, channel_s=1.0)
pytestmark = pytest.mark.usefixtures("nothing_leaks")


def soon(seconds: float = 20.0) -> float:
    return time.monotonic() + seconds


def random_file(path: Path, size: int) -> Path:
    path.write_bytes(os.urandom(size))
    return path


def board_without(board: RunningBoard, *lines: str) -> None:
    """Put a shell in front of the board's own that does `lines` first."""
    shell = board.folder / "bin" / "sh"
    shell.write_text("#!/bin/sh\n" + "\n".join(lines) + '\nexec /bin/sh "$@"\n')
    shell.chmod(0o755)


@pytest.mark.parametrize("size", [0, 1, 100_000, 20 * MB])
def test_a_file_arrives_whole(board: RunningBoard, tmp_path: Path, size: int) -> None:
    source, there = random_file(tmp_path / "source", size), tmp_path / STRANGE_NAME
    with board.connect() as link:
        link.put(source, str(there), deadline=soon())
    assert there.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("size", [0, 1, 20 * MB])
def test_a_file_comes_back_whole(board: RunningBoard, tmp_path: Path, size: int) -> None:
    there, back = random_file(tmp_path / STRANGE_NAME, size), tmp_path / "back"
    with board.connect() as link:
        link.get(str(there), back, deadline=soon(), max_bytes=20 * MB)
    assert back.read_bytes() == there.read_bytes()


def test_what_was_sent_is_told_by_hash(board: RunningBoard, tmp_path: Path) -> None:
    source = random_file(tmp_path / "source", 1000)
    with board.connect() as link:
        sent = link.put(source, str(tmp_path / "there"), deadline=soon())
    assert sent.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()


def _refused_get(board: RunningBoard, there: Path, back: Path, **asked: object) -> str:
    with board.connect() as link, pytest.raises(JobError) as caught:
        link.get(str(there), back, deadline=soon(), **{"max_bytes": MB, **asked})  # type: ignore[arg-type]
    return caught.value.code


def test_a_file_longer_than_announced_is_refused(board: RunningBoard, tmp_path: Path) -> None:
    there = random_file(tmp_path / "there", 2 * MB)
    assert _refused_get(board, there, tmp_path / "back") == "board:bad-answer"


def test_other_bytes_than_announced_are_refused(board: RunningBoard, tmp_path: Path) -> None:
    there = random_file(tmp_path / "there", 1000)
    assert _refused_get(board, there, tmp_path / "back", sha256="0" * 64) == "board:bad-answer"


def test_a_refused_file_is_not_kept(board: RunningBoard, tmp_path: Path) -> None:
    there = random_file(tmp_path / "there", 1000)
    _refused_get(board, there, tmp_path / "back", sha256="0" * 64)
    assert list(tmp_path.glob("back*")) == []


def test_a_missing_file_is_a_bad_answer(board: RunningBoard, tmp_path: Path) -> None:
    assert _refused_get(board, tmp_path / "nothing", tmp_path / "back") == "board:bad-answer"


def test_a_missing_local_file_is_our_own_fault(board: RunningBoard, tmp_path: Path) -> None:
    with board.connect() as link, pytest.raises(JobError) as caught:
        link.put(tmp_path / "nothing", str(tmp_path / "there"), deadline=soon())
    assert caught.value.code == "system:file-missing"


@pytest.mark.parametrize("size", [4 * MB, 40 * MB])
def test_a_full_disk_is_told(own_board: RunningBoard, tmp_path: Path, size: int) -> None:
    board_without(own_board, "ulimit -f 100")
    with own_board.connect() as link, pytest.raises(JobError) as caught:
        link.put(random_file(tmp_path / "source", size), str(tmp_path / "there"), deadline=soon())
    assert caught.value.code == "board:disk-full"


def test_nothing_is_left_on_a_full_disk(own_board: RunningBoard, tmp_path: Path) -> None:
    board_without(own_board, "ulimit -f 100")
    with own_board.connect() as link, pytest.raises(JobError):
        link.put(random_file(tmp_path / "source", 4 * MB), str(tmp_path / "there"), deadline=soon())
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("size", [8 * MB, 40 * MB])
def test_a_cut_link_is_told_and_leaves_no_half_file(board: RunningBoard, tmp_path: Path, size: int) -> None:
    source, there = random_file(tmp_path / "source", size), tmp_path / "there"
    with proxy_to(board.port) as proxy, board.connect(port=proxy.port) as link:
        proxy.cut_after = size // 2
        with pytest.raises(JobError) as caught:
            link.put(source, str(there), deadline=soon())
        time.sleep(0.3)  # the board goes on for a moment
    assert (caught.value.code, there.exists()) == ("board:link-lost", False)


def test_a_link_cut_while_fetching_is_told(board: RunningBoard, tmp_path: Path) -> None:
    there = random_file(tmp_path / "there", 40 * MB)
    with proxy_to(board.port) as proxy, board.connect(port=proxy.port) as link:
        digest = hashlib.sha256(there.read_bytes()).hexdigest()
        link.run(["true"], deadline=soon())
        proxy.cut_after = 0
        with pytest.raises(JobError) as caught:
            link.get(str(there), tmp_path / "back", deadline=soon(), max_bytes=40 * MB, sha256=digest)
    assert caught.value.code == "board:link-lost"


def test_a_stalled_link_is_lost_after_the_channels_patience(board: RunningBoard, tmp_path: Path) -> None:
    with proxy_to(board.port) as proxy, board.connect(port=proxy.port, patience=IMPATIENT) as link:
        link.run(["true"], deadline=soon())
        proxy.is_stalled = True
        with pytest.raises(JobError) as caught:
            link.put(random_file(tmp_path / "source", 40 * MB), str(tmp_path / "there"), deadline=soon())
    assert caught.value.code == "board:link-lost"


def test_a_stalled_link_never_outlives_the_deadline(board: RunningBoard, tmp_path: Path) -> None:
    start = time.monotonic()
    with proxy_to(board.port) as proxy, board.connect(port=proxy.port, patience=Patience()) as link:
        proxy.is_stalled = True
        with pytest.raises(JobError) as caught:
            link.put(random_file(tmp_path / "source", 40 * MB), str(tmp_path / "there"), deadline=soon(1))
    assert (caught.value.code, time.monotonic() - start < 4) == ("board:timed-out", True)


def test_a_board_that_never_says_what_arrived_is_given_up(own_board: RunningBoard, tmp_path: Path) -> None:
    program = own_board.folder / "bin" / "sha256sum"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    with own_board.connect(patience=IMPATIENT) as link, pytest.raises(JobError) as caught:
        link.put(random_file(tmp_path / "source", 1000), str(tmp_path / "there"), deadline=soon(30))
    assert (caught.value.code, "not a word" in caught.value.detail) == ("board:link-lost", True)


def test_a_frozen_server_is_given_up(own_board: RunningBoard, tmp_path: Path) -> None:
    with own_board.connect() as link:
        own_board.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(JobError) as caught:
                link.run(["true"], deadline=soon(1))
        finally:
            own_board.process.send_signal(signal.SIGCONT)
    assert caught.value.code == "board:timed-out"


@pytest.fixture
def bare_board(own_board: RunningBoard) -> RunningBoard:
    """A board whose commands find no programs at all."""
    board_without(own_board, f"PATH={own_board.folder / 'bin'}", "export PATH")
    return own_board


def test_without_cat_a_file_goes_by_sftp(bare_board: RunningBoard, tmp_path: Path) -> None:
    source, there = random_file(tmp_path / "source", 3 * MB), tmp_path / "there"
    with bare_board.connect() as link:
        link.put(source, str(there), deadline=soon())
    assert there.read_bytes() == source.read_bytes()


def test_without_cat_a_file_comes_back_by_sftp(bare_board: RunningBoard, tmp_path: Path) -> None:
    there, back = random_file(tmp_path / "there", 3 * MB), tmp_path / "back"
    with bare_board.connect() as link:
        link.get(str(there), back, deadline=soon(), max_bytes=3 * MB)
    assert back.read_bytes() == there.read_bytes()


@pytest.mark.parametrize("size", [0, 3 * MB, 20 * MB])
@pytest.mark.parametrize("python", [True, False])
def test_busybox_is_enough_for_files(
    own_board: RunningBoard, tmp_path: Path, size: int, python: bool
) -> None:
    small_userland(own_board, python=python)
    source, there = random_file(tmp_path / "source", size), tmp_path / STRANGE_NAME
    with own_board.connect() as link:
        link.put(source, str(there), deadline=soon())
        back = link.get(str(there), tmp_path / "back", deadline=soon(), max_bytes=20 * MB)
    assert (there.read_bytes() == source.read_bytes(), back.size) == (True, size)


def test_a_full_disk_is_told_in_a_small_userland_too(own_board: RunningBoard, tmp_path: Path) -> None:
    small_userland(own_board, python=False)
    shell = own_board.folder / "bin" / "sh"
    shell.write_text(shell.read_text().replace("exec", "ulimit -f 100\nexec"))
    with own_board.connect() as link, pytest.raises(JobError) as caught:
        link.put(random_file(tmp_path / "source", 4 * MB), str(tmp_path / "there"), deadline=soon())
    assert caught.value.code == "board:disk-full"


def test_the_board_without_programs_has_none(bare_board: RunningBoard) -> None:
    with bare_board.connect() as link:
        done = link.run(["sh", "-c", "command -v cat"], deadline=soon())
    assert (shutil.which("cat") is not None, done.status == 0) == (True, False)
