"""Tensor files as the agent reads and writes them, against the format's definition and numpy's bytes."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boardagent import tensorfile

ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


def write(path: Path, *, name: str = "x", shape: tuple[int, ...] = (2, 3), data: object = None) -> Path:
    tensorfile.write(str(path), [(name, "F32", shape, ARRAY.tobytes() if data is None else data)], {"a": "b"})
    return path


def raw(path: Path, header: object, data: bytes = b"") -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_a_tensor_comes_back_as_it_was(tmp_path: Path) -> None:
    with tensorfile.TensorFile(str(write(tmp_path / "t"))) as file:
        assert file.read("x") == ARRAY.tobytes()


def test_metadata_comes_back_as_it_was(tmp_path: Path) -> None:
    with tensorfile.TensorFile(str(write(tmp_path / "t"))) as file:
        assert file.metadata == {"a": "b"}


def test_a_tensor_may_be_given_in_blocks(tmp_path: Path) -> None:
    blocks = (ARRAY.tobytes()[i : i + 5] for i in range(0, 24, 5))
    with tensorfile.TensorFile(str(write(tmp_path / "t", data=blocks))) as file:
        assert file.read("x") == ARRAY.tobytes()


def test_a_tensor_may_be_read_in_blocks(tmp_path: Path) -> None:
    with tensorfile.TensorFile(str(write(tmp_path / "t"))) as file:
        assert [len(block) for block in file.blocks("x", 10)] == [10, 10, 4]


def test_the_data_starts_at_a_multiple_of_eight(tmp_path: Path) -> None:
    length = struct.unpack("<Q", write(tmp_path / "t").read_bytes()[:8])[0]
    assert length % 8 == 0


def test_a_tensor_shorter_than_its_shape_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(tensorfile.BadTensorFile):
        write(tmp_path / "t", shape=(2, 4))
    assert not (tmp_path / "t").exists()


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 100))
def test_a_truncated_file_is_refused(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write(tmp_path_factory.mktemp("cut") / "t")
    data = path.read_bytes()
    path.write_bytes(data[: min(cut, len(data) - 1)])
    with pytest.raises(tensorfile.BadTensorFile):
        tensorfile.TensorFile(str(path))


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [100, 104]},
        {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]},
        {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]},
        {"dtype": "F32", "shape": ["1"], "data_offsets": [0, 4]},
        {"dtype": "F32"},
        7,
    ],
)
def test_an_entry_that_does_not_describe_its_bytes_is_refused(entry: object, tmp_path: Path) -> None:
    with pytest.raises(tensorfile.BadTensorFile):
        tensorfile.TensorFile(str(raw(tmp_path / "t", {"x": entry}, b"1234")))


def test_a_header_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    with pytest.raises(tensorfile.BadTensorFile):
        tensorfile.TensorFile(str(path))
