"""Numbers as C prints them, and everything else that a hostile board could send in their place."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.errors import JobError
from workers.layerdump import numbers
from workers.layerdump.blocks import BLOCK

LARGE = 2 * numbers.WORTH_A_THREAD * BLOCK // 9  # lines of "1.000000"


def written(path: Path, text: bytes) -> Path:
    path.write_bytes(text)
    return path


def read(tmp_path: Path, text: bytes, count: int) -> list[float]:
    return [float(value) for value in numbers.read_numbers(written(tmp_path / "n.txt", text), count)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (b"1.000000\n-0.500000\n", [1.0, -0.5]),
        (b"0.000001\n", [np.float32(1e-6)]),
        (b"7\n-3\n", [7.0, -3.0]),
        (b"1.000000\r\n2.000000\r\n", [1.0, 2.0]),
        (b"1.000000\n2.000000", [1.0, 2.0]),
        (b"340282346638528859811704183484516925440.000000\n", [np.finfo(np.float32).max]),
        (b"1234567890123.250000\n", [np.float32(1234567890123.25)]),
        (b"12345678901234567890.000000\n", [np.float32(12345678901234567890.0)]),
        (b"-123456789.125\n", [np.float32(-123456789.125)]),
        (b"inf\n-inf\n", [np.inf, -np.inf]),
    ],
)
def test_a_line_is_a_number(tmp_path: Path, text: bytes, values: list[float]) -> None:
    assert read(tmp_path, text, len(values)) == values


@pytest.mark.parametrize("text", [b"nan\n", b"-nan\n"])
def test_what_c_prints_for_no_number_is_kept(tmp_path: Path, text: bytes) -> None:
    assert np.isnan(read(tmp_path, text, 1)[0])  # a layer of the board may really hold it: that is a finding


@pytest.mark.parametrize(
    "text",
    [
        b"NaN(0x7f)\n", b"nan0\n", b"n\n", b"-\n", b"in\n", b"infinity\n", b"1.0.0\n", b"1e5\n",
        b"0x10\n", b" 1.0\n", b"1.0 \n", b"+1.0\n", b"--1.0\n", b".5\n", b"\n", b"1,5\n",
        b"\x00\x00\x00\x00\n", b"\xff\xfe1\x00\n", b"1.000000\x00\n",
        b"340282356000000000000000000000000000000.000000\n",
        b"9" * 60 + b"\n", b"9" * 3000 + b"\n", b"0." + b"1" * 3000 + b"\n",
    ],
)  # fmt: skip
def test_anything_else_is_a_damaged_answer(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(JobError) as raised:
        read(tmp_path, text, 1)
    assert raised.value.code == "board:bad-answer"


@pytest.mark.parametrize(
    ("text", "count"), [(b"1.0\n2.0\n", 1), (b"1.0\n2.0\n", 3), (b"", 1), (b"1.0\n", 10**12)]
)
def test_another_count_is_a_damaged_answer(tmp_path: Path, text: bytes, count: int) -> None:
    with pytest.raises(JobError, match=r"numbers"):
        read(tmp_path, text, count)


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50))
def test_what_c_prints_of_a_float_is_read_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    assert_read_as_python(tmp_path_factory.getbasetemp(), [f"{value:f}" for value in values])


@given(st.lists(st.integers(-(10**13), 10**13), min_size=1, max_size=50))
def test_any_number_of_millionths_is_read_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, millionths: list[int]
) -> None:
    lines = [f"{'-' * (one < 0)}{abs(one) // 10**6}.{abs(one) % 10**6:06}" for one in millionths]
    assert_read_as_python(tmp_path_factory.getbasetemp(), lines)


@given(st.lists(st.integers(0, 2**25), min_size=1, max_size=50), st.integers(0, 6))
def test_the_middle_between_two_floats_is_rounded_as_python_does(
    tmp_path_factory: pytest.TempPathFactory, mantissas: list[int], halvings: int
) -> None:
    lines = [f"{(2**25 + mantissa) / 2**halvings:f}" for mantissa in mantissas]
    assert_read_as_python(tmp_path_factory.getbasetemp(), lines)


@given(st.lists(st.from_regex(r"-?[0-9]{1,9}(\.[0-9]{0,6})?", fullmatch=True), min_size=1, max_size=200))
def test_lines_of_many_kinds_stand_beside_each_other(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    assert_read_as_python(tmp_path_factory.getbasetemp(), lines)


@given(
    st.text("0123456789.-+en\r\x00 (/:", min_size=1, max_size=16).filter(
        lambda text: not re.fullmatch(r"-?[0-9]+(\.[0-9]*)?\r?", text)
    )
)
def test_one_odd_line_among_usual_ones_is_a_damaged_answer(
    tmp_path_factory: pytest.TempPathFactory, odd: str
) -> None:
    text = (b"1.000000\n" * 20) + odd.encode() + b"\n" + (b"-1.000000\n" * 20)
    with pytest.raises(JobError) as raised:
        read(tmp_path_factory.getbasetemp(), text, 41)
    assert raised.value.code == "board:bad-answer"


@given(st.binary(max_size=200))
def test_any_bytes_end_in_numbers_or_in_a_damaged_answer(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = written(tmp_path_factory.getbasetemp() / "bytes.txt", data)
    try:
        assert numbers.read_numbers(path, 1).size == 1
    except JobError as error:
        assert error.code == "board:bad-answer"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_across_the_edges_of_blocks_are_whole(tmp_path: Path, end: str) -> None:
    expected = np.arange(BLOCK // 4, dtype=np.float32)
    path = written(tmp_path / "n.txt", "".join(f"{value:f}{end}" for value in expected.tolist()).encode())
    assert np.array_equal(numbers.read_numbers(path, expected.size), expected)


@pytest.mark.parametrize("shift", range(12))
def test_a_line_may_begin_anywhere_before_the_edge_of_a_block(tmp_path: Path, shift: int) -> None:
    lines = ["0" * shift + "1.000000", *["-2.500000"] * (BLOCK // 10), "3.250000"]
    path = written(tmp_path / "n.txt", ("\n".join(lines) + "\n").encode())
    assert np.array_equal(numbers.read_numbers(path, len(lines)), np.array(lines, np.float32))


@pytest.mark.parametrize("place", [0, 1, LARGE // 2, LARGE - 2, LARGE - 1])
def test_damage_is_found_wherever_it_is_in_a_large_file(tmp_path: Path, place: int) -> None:
    path = written(tmp_path / "n.txt", LARGE * b"1.000000\n")
    with path.open("r+b") as file:
        file.seek(9 * place + 3)
        file.write(b"x")
    with pytest.raises(JobError, match=r"'1\.0x0000"):
        numbers.read_numbers(path, LARGE)


@pytest.mark.parametrize("more", [-1, 1])
def test_another_count_of_a_large_file_is_a_damaged_answer(tmp_path: Path, more: int) -> None:
    path = written(tmp_path / "n.txt", LARGE * b"1.000000\n")
    with pytest.raises(JobError, match="numbers"):
        numbers.read_numbers(path, LARGE + more)


def test_a_line_longer_than_any_number_is_refused_at_the_edge_of_a_block_too(tmp_path: Path) -> None:
    path = written(
        tmp_path / "n.txt", b"1.000000\n" * (BLOCK // 9) + b"0" * 200 + b"\n" + b"1.000000\n" * LARGE
    )
    with pytest.raises(JobError, match="more than 80 characters"):
        numbers.read_numbers(path, LARGE)


def assert_read_as_python(folder: Path, lines: list[str]) -> None:
    path = written(folder / "any.txt", ("\n".join(lines) + "\n").encode())
    expected = np.array([float(line) for line in lines], np.float64).astype(np.float32)
    found = numbers.read_numbers(path, len(lines))
    assert found.view(np.uint32).tolist() == expected.view(np.uint32).tolist()


def test_a_last_line_without_an_end_may_cross_the_border_of_a_block(tmp_path: Path) -> None:
    count = 1048572 // 9
    path = tmp_path / "layer.txt"
    path.write_bytes(b"1.000000\n" * count + b"123456.000000")
    assert numbers.read_numbers(path, count + 1)[-1] == 123456.0
