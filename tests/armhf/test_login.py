"""Logging in on real dropbears and a real sshd of other architectures and ages."""

import contextlib
import threading
import time
from dataclasses import replace

import pytest

from dashboard.boards.keys import fingerprint
from tests.armhf.board import EMULATED, EmulatedBoard
from tests.armhf.conftest import Boards, soon, started
from tests.armhf.test_boards import says
from tests.link.board import make_key_pair
from workers.errors import JobError, Temporary
from workers.link.ssh import connect, scan_host_key

STRANGER = make_key_pair()


def test_the_pinned_key_opens_the_board(board: EmulatedBoard) -> None:
    assert says(board, "id", "-u") == "0"


def test_an_account_without_rights_is_enough_to_log_in(board: EmulatedBoard) -> None:
    with board.connect(user="layerwise") as link:
        assert link.run(["id", "-u"], deadline=soon()).stdout_tail.strip() == b"1000"


def test_the_scanned_host_key_is_the_boards_own(board: EmulatedBoard) -> None:
    assert scan_host_key(board.address, 22, EMULATED) == board.host_key


def test_a_host_key_is_made_of_a_kind_that_is_still_accepted(board: EmulatedBoard) -> None:
    kinds = {"ecdsa": "ecdsa-sha2-nistp256", "ed25519": "ssh-ed25519"}
    assert board.host_key.split()[0] == kinds[board.kind.host_key]


def test_a_changed_host_key_is_told_apart(board: EmulatedBoard) -> None:
    with pytest.raises(JobError) as caught:
        connect(replace(board.target(), host_key=STRANGER.public), board.keys.private, EMULATED)
    assert caught.value.code == "board:host-key-changed"


def test_an_unknown_key_is_refused(board: EmulatedBoard) -> None:
    with pytest.raises(JobError) as caught:
        connect(board.target(), STRANGER.private, EMULATED)
    assert caught.value.code == "board:login-refused"


def test_the_fingerprint_is_the_one_dropbear_prints(boards: Boards) -> None:
    board = boards("python3.11-dropbear")
    assert fingerprint(board.host_key) in (board.files / "etc/dropbear/key.pub").read_text()


def test_a_board_that_is_off_is_unreachable_for_now(own_board: EmulatedBoard) -> None:
    target, _ = own_board.target(), own_board.switch_off()
    with pytest.raises(Temporary) as caught:
        connect(target, own_board.keys.private, EMULATED)
    assert caught.value.code == "board:unreachable"


@pytest.mark.parametrize("fault", ["pull", "block", "freeze"])
def test_a_board_that_does_not_answer_is_given_up_in_time(own_board: EmulatedBoard, fault: str) -> None:
    target, began = own_board.target(), time.monotonic()
    {"pull": own_board.net.pull, "block": own_board.net.block, "freeze": own_board.freeze}[fault]()
    with pytest.raises(JobError) as caught:
        connect(target, own_board.keys.private, replace(EMULATED, connect_s=1.5))
    assert (caught.value.code, time.monotonic() - began < 20) == ("board:unreachable", True)


def test_a_reset_connection_is_unreachable_for_now(own_board: EmulatedBoard) -> None:
    target = own_board.target()
    own_board.net.block("reject with tcp reset")
    with pytest.raises(Temporary, match="refused"):
        connect(target, own_board.keys.private, EMULATED)


@pytest.mark.usefixtures("nothing_leaks")
def test_a_board_comes_back_after_a_reboot(own_board: EmulatedBoard) -> None:
    own_board.reboot()
    assert says(own_board, "id", "-u") == "0"


def test_ten_boards_let_us_in_side_by_side(machine: None) -> None:
    with contextlib.ExitStack() as stack:
        ten = [stack.enter_context(started("python3.9-busybox")) for _ in range(10)]
        names: list[str] = []

        def visit(board: EmulatedBoard) -> None:
            names.append(says(board, "cat", "/proc/sys/kernel/random/boot_id"))

        threads = [threading.Thread(target=visit, args=(board,)) for board in ten]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert len(set(names)) == 10
