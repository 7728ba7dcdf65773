"""Commands over a link, on this machine and over SSH, under the same promises."""

import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.link.board import RunningBoard
from tests.link.conftest import KINDS, need_sshd
from workers.errors import JobError
from workers.link.base import Link
from workers.link.local import LocalLink


@pytest.fixture(params=["local", *KINDS])
def link(request: pytest.FixtureRequest, boards: Callable[[str], RunningBoard]) -> Iterator[Link]:
    """Each kind of link to a healthy board."""
    if request.param == "openssh":
        need_sshd()
    found = LocalLink() if request.param == "local" else boards(request.param).connect()
    yield found
    found.close()


def soon(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


def test_the_exit_status_comes_back(link: Link) -> None:
    assert link.run(["sh", "-c", "exit 7"], deadline=soon()).status == 7


def test_a_signal_has_no_exit_status(link: Link) -> None:
    assert link.run(["sh", "-c", f"kill -{signal.SIGKILL.value} $$"], deadline=soon()).status is None


def test_both_outputs_are_kept_apart(link: Link) -> None:
    done = link.run(["sh", "-c", "echo out; echo err >&2"], deadline=soon())
    assert (done.stdout_tail, done.stderr_tail) == (b"out\n", b"err\n")


def test_arguments_arrive_as_they_are(link: Link) -> None:
    strange = "a 'b' \"c\" $HOME `id` ; \\ \n *"
    assert link.run(["printf", "%s", strange], deadline=soon()).stdout_tail == strange.encode()


def test_standard_input_arrives(link: Link) -> None:
    assert link.run(["cat"], stdin=b"hello" * 1000, deadline=soon()).stdout_tail == b"hello" * 1000


def test_a_flood_on_both_outputs_does_not_block(link: Link) -> None:
    script = "head -c 20000000 /dev/zero >&2 & head -c 20000000 /dev/zero; wait; exit 3"
    assert link.run(["sh", "-c", script], deadline=soon(30)).status == 3


def test_only_the_end_of_a_flood_is_kept(link: Link) -> None:
    done = link.run(["sh", "-c", "head -c 3000000 /dev/zero; echo end"], deadline=soon(), max_output=10)
    assert done.stdout_tail == b"\0" * 6 + b"end\n"


def test_lines_come_one_by_one(link: Link) -> None:
    lines: list[bytes] = []
    link.run(["printf", "one\\ntwo\\nthree"], deadline=soon(), on_line=lines.append)
    assert lines == [b"one", b"two", b"three"]


def test_a_line_without_end_is_a_bad_answer(link: Link) -> None:
    with pytest.raises(JobError) as caught:
        link.run(["head", "-c", "1000000", "/dev/zero"], deadline=soon(), on_line=lambda line: None)
    assert caught.value.code == "board:bad-answer"


def test_a_command_that_hangs_is_given_up_at_the_deadline(link: Link) -> None:
    with pytest.raises(JobError) as caught:
        link.run(["sleep", "60"], deadline=soon(0.3))
    assert caught.value.code == "board:timed-out"


def test_silence_means_that_the_link_is_lost(link: Link) -> None:
    with pytest.raises(JobError) as caught:
        link.run(["sleep", "60"], deadline=soon(), silence_s=0.3)
    assert caught.value.code == "board:link-lost"


@pytest.mark.usefixtures("nothing_leaks")
def test_a_hundred_failures_leave_nothing_behind(board: RunningBoard) -> None:
    with board.connect() as link:
        for _ in range(100):
            with pytest.raises(JobError):
                link.run(["sleep", "9"], deadline=soon(), silence_s=0.001)


def test_closing_twice_does_no_harm(board: RunningBoard) -> None:
    link = board.connect()
    link.close()
    link.close()


def test_a_closed_link_is_lost(board: RunningBoard) -> None:
    link = board.connect()
    link.close()
    with pytest.raises(JobError) as caught:
        link.run(["true"], deadline=soon())
    assert caught.value.code == "board:link-lost"
