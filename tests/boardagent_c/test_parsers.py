"""The agent's own parsers and digests against Python's, and against garbage."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boardagent import protocol
from boardagent.npu import perftable
from tests.boardagent.npu.test_perftable import HEAD, NEW, OLD
from tests.boardagent_c.board import HERE
from tests.boardagent_c.conftest import SANITIZED, build

SEEDS = [1, 20261124]
NEAR_JSON = st.text(st.sampled_from(list('{}[]",:\\/u0123456789dD8eE+-.truefalsn \n\täé\0\x7f')), max_size=30)
LINES = [
    b"{}",
    b'{"a": 1}',
    b"[1]",
    b"\xff",
    b'{"a": NaN}',
    b'{"a": -Infinity}',
    b'{"a": 1e999}',
    b'{"a": 1, "a": 2}',
    b'{"a": 1} x',
    b'{"a": ' + b"[" * 13 + b"]" * 13 + b"}",
    b'{"a": ' + b"[" * 14 + b"]" * 14 + b"}",
    b'{"a": ' + b"[" * 15 + b"]" * 15 + b"}",
    b'{"a": ' + b"[" * 16 + b"]" * 16 + b"}",
    b'{"a": ' + b"[" * 14 + b"1" + b"]" * 14 + b"}",
    b'{"a": ' + b"[" * 30000,
    b'{"a": "\\u0000"}',
    b'{"\\ud800": 1}',
    b'{"a": "\\ud83d\\ude00"}',
    b'{"a": "\\ude00\\ud83d"}',
    b'{"a": "\\ud83d\\u0041"}',
    b'{"a": "' + b"x" * 70000 + b'"}',
    b'{"a": "' + b"x" * 65000 + b'"}',
    b'{"a": 01}',
    b'{"a": -0}',
    b'{"a": 1.}',
    b'{"a": .5}',
    b'{"a": +1}',
    b'{"a": 1E+5}',
    b'{"a": "\t"}',
    b'{"a": "\x7f"}',
    b'{"a": "\\x"}',
    b'{"a": "\xc0\x80"}',
    b'{"a": "\xed\xa0\x80"}',
    b'{"a": "\xf4\x90\x80\x80"}',
    b'{"a": "\xf0\x9f\x98\x80"}',
    b'{"a": 1,}',
    b"{,}",
    b'{"a" 1}',
    b"{'a': 1}",
    b'{"a": tru}',
    b" {} ",
    b"",
    b'{"a": [1,]}',
    b'{"a": {"b": 1, "c": {"b": 1}}, "b": 1}',
    b"\xef\xbb\xbf{}",
    b"{}\x0b",
    b'{"a": null}',
]


@pytest.fixture(scope="session")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = [*SANITIZED, "-Wno-unused-function"]
    return build(tmp_path_factory.mktemp("checks") / "checks", HERE / "checks.c", options=options)


def answer(checks: Path, what: str, data: bytes) -> str:
    return (
        subprocess.run([str(checks), what], input=data, capture_output=True, check=True)
        .stdout.decode()
        .strip()
    )


def is_message(data: bytes) -> bool:
    try:
        protocol.decode(data)
    except protocol.BadMessage:
        return False
    return True


@pytest.mark.parametrize("line", LINES, ids=[line[:24].decode("latin1") + f" {len(line)}" for line in LINES])
def test_a_line_is_a_message_for_both_agents_or_for_none(checks: Path, line: bytes) -> None:
    assert (answer(checks, "json", line) == "good") == is_message(line)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=12) | NEAR_JSON.map(lambda text: f'{{"a":{text}}}'.encode()))
def test_anything_is_a_message_for_both_agents_or_for_none(checks: Path, data: bytes) -> None:
    assert (answer(checks, "json", data) == "good") == is_message(data)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 119, 1000, 100_003])
@pytest.mark.parametrize("name", ["sha256", "md5"])
def test_digests_are_those_of_the_standard(checks: Path, name: str, size: int) -> None:
    data = bytes(number * 7 % 251 for number in range(size))
    assert answer(checks, name, data) == hashlib.new(name, data).hexdigest()


ROWS_1 = [
    "  2  Conv_Conv_1_2  0  CONVOLUTION  NN  1                 920",
    "  2  Conv_1  0  CONVOLUTION  NN                 920",
    "  2  Conv_1  0  CONVOLUTION  SH  -1                 920",
    "  -1  a b  c 3  0  SOFTMAX  SW  12                 7",
    "  4  7  1  RESHUFFLE  TP  007                 1",
    "  4    1  RESIZE  SC  3                 1",
    "  5  _1  0  X  NN  3                 1",
    "  5  layer  0  X  NN  3                 1",
    "  9  Conv_1_2  0  X  NN  3  1\n  9  Conv_1_2  1  Y  NN  3  1",
    "  9  Conv_1_2  0  X  NN  3  1\n  9  Conv_1_3  1  Y  NN  3  1",
    "  9  a#1  0  X  NN  3  1\n  9  a_5  1  Y  NN  3  1\n  9  a_5  1  Y  NN  3  1",
    "  1  " + "x" * 450 + "_7  0  CONVOLUTION  NN  1  5",
    "  1  " + "x " * 100_000 + "0  CONVOLUTION  NN  1  5",
    "garbage\n\xff 1 2 3",
    "  1  a  b  CONVOLUTION  NN  1  5",
    "  1  a  0  CONVOLUTION  9N  1  5",
]
ROWS_2 = [
    "",
    "8    Conv    UINT8  NPU  (1,4,6,5),(4)  (1,4,6,5)  1/2/3  17  0.4  100%  2  Conv:/model.22/a b",
    "8    Conv    UINT8  NPU  a  b  1/2/3  17  0.4  100%  2  Conv:",
    "8    Conv    UINT8  NPU  a  b  1/2/3  17  0.4  100%  2  plain name",
    "8    Conv    UINT8  NPU  a  b  1/2/3  17  0.4  100%  2",
    "8    Conv    UINT8  NPU  a  b  1/2/3  17  0.4  100%",
    "8    Conv    UINT8  NPU  a  b  1/2/3  late  0.4  100%  2  Conv:c",
    "8x   Conv    UINT8  NPU  a  b  1/2/3  17  0.4  100%  2  Conv:c",
    " 8   Conv    UINT8  NPU  a  b  1/2/3  17  0.4  100%  2  Conv:c",
    "8    Conv    UINT8  NPU  a  b  1/2/3  17  0.4  1% - Up:0.0%  2  Conv:c - Up:d",
    "008  Conv  UINT8  NPU  a  b  1/2/3  17  0.4  1%  2  Conv:c_7\n9  Conv  U8  NPU  a  b  1/2/3  1  0  1%  2  X:c_7",
]


@pytest.mark.parametrize("rows", ROWS_1, ids=[row[:24] for row in ROWS_1])
def test_a_table_of_generation_1_has_the_same_rows_for_both_agents(checks: Path, rows: str) -> None:
    table = HEAD + rows + "\n"
    assert json.loads(answer(checks, "table1", table.encode())) == perftable.parse_1(table)


@pytest.mark.parametrize("table", [NEW, OLD], ids=["new", "old"])
@pytest.mark.parametrize("rows", ROWS_2, ids=[row[:24] for row in ROWS_2])
def test_a_table_of_generation_2_has_the_same_rows_for_both_agents(
    checks: Path, table: str, rows: str
) -> None:
    table += rows + "\n"
    assert json.loads(answer(checks, "table2", table.encode())) == perftable.parse_2(table)


def test_rows_without_a_heading_are_none(checks: Path) -> None:
    assert answer(checks, "table2", ROWS_2[1].encode()) == "[]"


@pytest.fixture(scope="session")
def fuzz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = [*SANITIZED, "-Wno-unused-function"]
    return build(tmp_path_factory.mktemp("fuzz") / "fuzz", HERE / "fuzz.c", options=options)


@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_inputs_never_lead_out_of_a_buffer(fuzz: Path, seed: int) -> None:
    done = subprocess.run([str(fuzz), str(seed), "20000"], capture_output=True, text=True, check=False)
    good = [int(number) for number in re.findall(r"\d+", done.stdout)[1:]]
    assert (done.returncode, len(good), min(good, default=0) > 100) == (0, 4, True), done.stderr
