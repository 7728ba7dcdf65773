"""Building the agent: by the host's compiler and by a board's, within the memory that a board has."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.boardagent import standin
from tests.boardagent_c.board import ROOT, SOURCE, Board, wait_until
from tests.boardagent_c.conftest import WARNINGS, compiler
from tests.boardagent_c.runtimes import LIBRARIES, OneAgent, checks_of
from tests.memory import peak_kb

CROSS = "arm-linux-gnueabihf-gcc"
EMULATOR = "qemu-arm-static"
SYSROOT = "/usr/arm-linux-gnueabihf"


@pytest.fixture(scope="session")
def armhf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent for a 32-bit board; its struct sizes are checked by the compiler."""
    target = tmp_path_factory.mktemp("armhf") / "agent"
    command = [
        compiler(CROSS),
        "-std=gnu99",
        "-O2",
        "-pthread",
        *WARNINGS,
        "-o",
        str(target),
        str(SOURCE),
        "-ldl",
    ]
    subprocess.run(command, check=True)
    return target


def test_make_names_the_program_after_the_boards_machine(tmp_path: Path) -> None:
    compiler(CROSS)
    command = ["make", "-s", "-C", str(ROOT / "boardagent" / "c"), f"CC={CROSS}", f"OUT={tmp_path}"]
    subprocess.run(command, check=True, capture_output=True)
    assert [path.name for path in tmp_path.glob("layerwise-*")] == ["layerwise-agent-armv7l"]


def test_it_needs_nothing_beside_the_c_library(armhf: Path) -> None:
    tool = compiler("arm-linux-gnueabihf-readelf")
    listed = subprocess.run([tool, "-d", str(armhf)], capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", listed))
    assert needed <= {"libc.so.6", "libdl.so.2", "libpthread.so.0", "ld-linux-armhf.so.3"}


def test_a_32_bit_board_is_served(armhf: Path, tmp_path: Path) -> None:
    command = [compiler(EMULATOR), "-L", SYSROOT, str(armhf), "hello"]
    environment = {**os.environ, "LAYERWISE_ROOT": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, check=True, env=environment)
    hello = json.loads(done.stdout)
    assert (hello["agent"], hello["machine"]) == ("c", "armv7l")


def test_a_run_on_an_emulated_32_bit_board_ends_with_a_result(
    armhf: Path, make_board: Callable[[Path], Board]
) -> None:
    emulator = compiler(EMULATOR)
    board = make_board(armhf)
    shutil.copy(armhf, board.root / "agent.arm")
    board.agent.write_text(f'#!/bin/sh\nexec {emulator} -L {SYSROOT} {board.root}/agent.arm "$@"\n')
    board.agent.chmod(0o755)
    assert board.run(modes=["plain", "timed", "dump"]).kinds[-1] == "end"


@pytest.mark.parametrize("kind", LIBRARIES)
def test_a_stand_in_library_of_32_bits_is_driven(
    kind: str, armhf: Path, make_board: Callable[[Path], Board]
) -> None:
    emulator = compiler(EMULATOR)
    board = make_board(armhf)
    standin.build(LIBRARIES[kind].partition(".")[0], board.root, compiler(CROSS))
    shutil.copy(armhf, board.root / "agent.arm")
    board.agent.write_text(f'#!/bin/sh\nexec {emulator} -L {SYSROOT} {board.root}/agent.arm "$@"\n')
    board.agent.chmod(0o755)
    received = OneAgent(board, kind, board.root).run(modes=["plain", "timed", "dump", "sequence"])
    assert [check["differing"] for check in checks_of(received).values()] == [[], [], []]


@pytest.fixture
def large_run(plain_program: Path, make_board: Callable[[Path], Board]) -> tuple[Board, Path]:
    """A run whose outputs have 200 MB, which no compression makes smaller, before it has hashed them."""
    board = make_board(plain_program)
    board.sim_does("head -c 200000000 /dev/urandom > $3/outputs.safetensors")
    folder = board.folder()
    board.start(folder)
    return board, folder


def test_a_run_with_a_large_file_takes_less_than_8_mb(large_run: tuple[Board, Path]) -> None:
    folder = large_run[1]
    runner, peaks = int((folder / "pids").read_text().split()[0]), [0]
    wait_until(lambda: peaks.append(peak_kb(runner)) or (folder / "result.json").exists(), 60)
    assert 0 < max(peaks) < 8 * 1024


def test_streaming_a_large_file_takes_less_than_8_mb(large_run: tuple[Board, Path]) -> None:
    board, folder = large_run
    wait_until((folder / "result.json").exists, 60)
    process = board.popen("attach", str(folder), "0", "0")
    assert process.stdout
    peak = 0
    while os.read(process.stdout.fileno(), 1 << 20):  # it waits for this reader, as it would for a link
        peak = max(peak, peak_kb(process.pid))
    assert 0 < peak < 8 * 1024
