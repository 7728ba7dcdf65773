"""Streaming a run: cut anywhere and taken up again it is the same, what the worker has is deleted, silence ends it."""

import random
import subprocess
import threading
import time
from pathlib import Path

import pytest

from boardagent import protocol
from tests.boardagent_c.board import Board, Received, wait_until

SEED = 20261124


def outputs_of(size: str) -> str:
    return f"seq 1 100000000 | head -c {size} > $3/outputs.safetensors"


def cut_after(board: Board, folder: Path, received: Received, size: int) -> None:
    """Attach, take `size` bytes, and hang up."""
    entry, offset = received.place()
    process = board.popen("attach", str(folder), str(entry), str(offset))
    assert process.stdout
    part = board.root / "part"
    part.write_bytes(process.stdout.read(size))
    process.stdout.close()
    process.stdout = None
    process.wait(20)
    with part.open("rb") as stream:
        received.take(stream)


def test_a_stream_cut_at_random_bytes_gives_the_same_files(board: Board) -> None:
    board.sim_does(outputs_of("3000000"))
    folder = board.folder()
    board.start(folder)
    whole, pieces, dice = Received(), Received(), random.Random(SEED)
    board.attach(folder, whole)
    while "end" not in pieces.kinds:
        cut_after(
            board, folder, pieces, dice.choice([1, 100, 5_000, 300_000, 900_000]) + dice.randrange(1000)
        )
    assert pieces.files() == whole.files()


def test_attaching_does_not_run_the_network_again(board: Board, tmp_path: Path) -> None:
    board.sim_does(f"echo >> {tmp_path}/executions")
    folder = board.folder()
    board.start(folder)
    for _ in range(3):
        board.attach(folder, Received())
    assert (tmp_path / "executions").read_text() == "\n"


def test_files_come_while_the_run_goes_on(board: Board) -> None:
    board.sim_does('[ "$1" = plain ] || sleep 600')
    folder = board.folder(modes=["plain", "dump"])
    board.start(folder)
    process = board.popen("attach", str(folder), "0", "0")
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(4)]
    assert b'"block"' in lines[-1]


def test_what_the_worker_has_is_deleted(board: Board) -> None:
    folder = board.folder()
    board.start(folder)
    received = Received()
    board.attach(folder, received)
    board.attach(folder, received, have=len(received.entries))
    assert [path.name for path in folder.glob("plain-*")] == []


def test_the_result_stays(board: Board) -> None:
    folder = board.folder()
    board.start(folder)
    received = Received()
    board.attach(folder, received)
    board.attach(folder, received, have=len(received.entries))
    assert (folder / "result.json").exists()


def test_a_file_that_was_given_away_is_gone_for_good(board: Board) -> None:
    folder = board.folder()
    board.start(folder)
    received = Received()
    board.attach(folder, received)
    board.attach(folder, received, have=len(received.entries))
    again = Received()
    assert (board.attach(folder, again), again.other[-1]["event"]) == (protocol.EXIT_FAILED, "gone")


def test_what_is_no_message_of_the_worker_means_nothing(board: Board) -> None:
    folder = board.folder()
    board.start(folder)
    process = board.popen("attach", str(folder), "0", "0", stdin=subprocess.PIPE)
    garbage = b'\xff\n[]\n{"have": "all"}\n{"have": -5}\n' + b"x" * 100_000 + b"\n"
    out = process.communicate(garbage, timeout=30)[0]
    assert out.splitlines()[-1].endswith(b'"event":"end"}')


def test_a_beat_comes_while_nothing_else_does(board: Board) -> None:
    board.sim_does("sleep 600")
    folder = board.folder()
    board.start(folder)
    process = board.popen("attach", str(folder), "0", "0")
    assert process.stdout
    process.stdout.readline()
    assert process.stdout.readline() == b'{"event":"beat"}\n'


def test_a_worker_that_says_nothing_for_too_long_is_left(board: Board) -> None:
    board.sim_does("sleep 600")
    folder = board.folder(orphan_s=1)
    board.start(folder)
    process = board.popen("attach", str(folder), "0", "0", stdin=subprocess.PIPE)
    assert process.wait(20) == protocol.EXIT_FAILED


def test_a_newer_attach_ends_one_that_is_stuck(board: Board) -> None:
    board.sim_does(outputs_of("2000000"))
    folder = board.folder()
    board.start(folder)
    stuck = board.popen("attach", str(folder), "0", "0")  # nobody reads: it waits for room
    wait_until(lambda: (folder / "attached").exists() and str(stuck.pid) in (folder / "attached").read_text())
    received = Received()
    board.attach(folder, received)
    assert (received.kinds[-1], stuck.wait(10)) == ("end", -9)


@pytest.mark.parametrize("place", [("x", "0"), ("0", "-1"), ("", "0"), ("0", "99999999999999999999")])
def test_a_place_that_is_none_is_refused(board: Board, place: tuple[str, str]) -> None:
    folder = board.folder()
    board.start(folder)
    assert board.ask("attach", str(folder), *place)[0] == protocol.EXIT_FAILED


def test_attaching_to_what_was_never_started_fails(board: Board) -> None:
    assert board.ask("attach", str(board.folder()), "0", "0")[0] == protocol.EXIT_FAILED


@pytest.mark.parametrize(
    "line", [b"no JSON\n", b'{"event": "file", "name": "../job.json", "bytes": 5}\n', b"x" * 70_000 + b"\n"]
)
def test_a_journal_that_is_none_of_ours_is_not_streamed(board: Board, line: bytes) -> None:
    folder = board.folder()
    (folder / "journal.jsonl").write_bytes(line)
    received = Received()
    assert (board.attach(folder, received), received.entries) == (protocol.EXIT_FAILED, [])


def test_half_an_entry_waits_for_its_other_half(board: Board) -> None:
    folder = board.folder()
    (folder / "journal.jsonl").write_bytes(b'{"event":"stage"}\n{"event":"st')
    received = Received()
    board.attach(folder, received)
    assert received.kinds == ["stage"]


def slowly(process: "subprocess.Popen[bytes]", received: Received, rate: float) -> None:
    """Take the stream at `rate` bytes a second, through a pipe of its own."""
    assert process.stdout
    source = process.stdout

    class Slow:
        def readline(self) -> bytes:
            return source.readline()

        def read(self, size: int) -> bytes:
            parts = []
            while size > 0 and (part := source.read(min(size, 4096))):
                parts.append(part)
                size -= len(part)
                time.sleep(len(part) / rate)
            return b"".join(parts)

    received.take(Slow())  # type: ignore[arg-type]


def test_blocks_are_compressed_when_the_link_is_slow(board: Board) -> None:
    board.sim_does(outputs_of("6000000"))
    folder = board.folder()
    board.start(folder)
    process = board.popen("attach", str(folder), "0", "0")
    received = Received()
    reader = threading.Thread(target=slowly, args=(process, received, 2_000_000.0))
    reader.start()
    reader.join(60)
    assert ("zlib" in received.methods, received.kinds[-1]) == (True, "end")
