"""Tensor files: what is written is read, and what is damaged is refused with a sentence."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from similarity.tensorfile import DTYPES, DamagedFile, TensorFile, rename_tensors, write_tensors

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12)
TENSORS = st.dictionaries(
    NAMES.filter(lambda name: name != "__metadata__"),
    st.sampled_from(sorted(DTYPES)).flatmap(
        lambda code: arrays.arrays(DTYPES[code], arrays.array_shapes(min_dims=0, min_side=0, max_side=4))
    ),
    max_size=5,
)


def file_of(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def entry(dtype="F32", shape=(1,), start=0, stop=4):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


@given(TENSORS, st.dictionaries(NAMES, NAMES, max_size=3))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(tmp_path, tensors, metadata):
    write_tensors(tmp_path / "file", tensors, metadata)
    with TensorFile.open(tmp_path / "file") as opened:
        found = {name: (opened.array(name).tobytes(), opened.array(name).shape) for name in opened.names}
        assert (found, dict(opened.metadata)) == (
            {name: (array.tobytes(), array.shape) for name, array in tensors.items()},
            metadata,
        )


def test_reading_does_not_copy(tmp_path):
    write_tensors(tmp_path / "file", {"a": np.ones(8, np.float32)}, {})
    with TensorFile.open(tmp_path / "file") as opened:
        assert not opened.array("a").flags.owndata


def test_arrays_outlive_the_open_file(tmp_path):
    write_tensors(tmp_path / "file", {"a": np.arange(8, dtype=np.float32)}, {})
    with TensorFile.open(tmp_path / "file") as opened:
        array = opened.array("a")
    assert array.sum() == 28


def test_arrays_cannot_be_written_to(tmp_path):
    write_tensors(tmp_path / "file", {"a": np.ones(8, np.float32)}, {})
    with TensorFile.open(tmp_path / "file") as opened, pytest.raises(ValueError, match="read-only"):
        opened.array("a")[0] = 2


def test_types_of_different_width_are_all_aligned(tmp_path):
    tensors = {"odd": np.ones(3, np.uint8), "wide": np.ones(2, np.float64), "plain": np.ones(1, np.float32)}
    write_tensors(tmp_path / "file", tensors, {})
    with TensorFile.open(tmp_path / "file") as opened:
        assert not any(opened.array(name).flags.owndata for name in tensors)


def test_a_tensor_that_is_not_aligned_is_still_read(tmp_path):
    header = {"a": entry("U8", (1,), 0, 1), "b": entry("F32", (1,), 1, 5)}
    with TensorFile.open(file_of(tmp_path / "file", header, b"\1" + np.float32(2.5).tobytes())) as opened:
        assert opened.array("b")[0] == 2.5


def test_a_type_without_a_code_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="cannot hold"):
        write_tensors(tmp_path / "file", {"a": np.ones(2, np.complex64)}, {})


MUTANTS = {
    "empty": b"",
    "shorter than its length field": b"\1\2",
    "a header longer than the file": (100).to_bytes(8, "little") + b"{}",
    "a header of 2^63 bytes": (2**63).to_bytes(8, "little") + b"{}",
    "a header that is not JSON": (2).to_bytes(8, "little") + b"{]",
    "a header that is not UTF-8": (2).to_bytes(8, "little") + b"\xff\xfe",
    "a header that is a list": (2).to_bytes(8, "little") + b"[]",
    "a header a thousand levels deep": (200_000).to_bytes(8, "little") + b"[" * 200_000,
    "data after the last tensor": (2).to_bytes(8, "little") + b"{}x",
}


@pytest.mark.parametrize("content", MUTANTS.values(), ids=MUTANTS)
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DamagedFile, match=r"\.$"):
        TensorFile.open(tmp_path / "file")


BAD_HEADERS = {
    "metadata that is not text": {"__metadata__": {"count": 1}},
    "metadata that is a list": {"__metadata__": []},
    "an entry that is not an object": {"a": 1},
    "an entry without a shape": {"a": {"dtype": "F32", "data_offsets": [0, 4]}},
    "an entry with something more": {"a": {**entry(), "extra": 1}},
    "an unknown type": {"a": entry("Q4")},
    "a type that is not text": {"a": {**entry(), "dtype": ["F32"]}},
    "a negative size": {"a": entry(shape=(-1,))},
    "a size that is a fraction": {"a": {**entry(), "shape": [1.0]}},
    "a size that is a truth value": {"a": {**entry(), "shape": [True]}},
    "a size that overflows": {"a": entry(shape=(2**40, 2**40, 0), stop=0)},
    "a shape of hundred axes": {"a": entry(shape=(1,) * 100)},
    "offsets that run backwards": {"a": entry(start=4, stop=0)},
    "three offsets": {"a": {**entry(), "data_offsets": [0, 4, 8]}},
    "fewer bytes than the shape needs": {"a": entry(shape=(2,))},
    "an end outside the file": {"a": entry(shape=(2,), stop=8)},
    "two tensors in one place": {"a": entry(), "b": entry()},
    "a hole before the first tensor": {"a": entry("U8", (3,), 1, 4)},
    "a name that cannot be printed": {"a\u0000b": entry()},
    "a name without end": {"a" * 5000: entry()},
    "a size with five thousand digits": b'{"a":{"dtype":"F32","shape":['
    + b"9" * 5000
    + b'],"data_offsets":[0,4]}}',
    "a shape that is not a number": b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}',
    "a name used twice": b'{"a":1,"a":2}',
}


@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_a_header_that_lies_is_refused(tmp_path, header):
    with pytest.raises(DamagedFile, match=r"\.$"):
        TensorFile.open(file_of(tmp_path / "file", header, b"\0" * 4))


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_byte_is_refused_or_harmless(tmp_path, data):
    write_tensors(
        tmp_path / "good", {"a": np.ones(3, np.float32), "b": np.ones((2, 2), np.uint8)}, {"k": "v"}
    )
    content = bytearray((tmp_path / "good").read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    (tmp_path / "bad").write_bytes(content[: data.draw(st.integers(len(content) - 3, len(content)))])
    try:
        with TensorFile.open(tmp_path / "bad") as opened:
            assert all(opened.array(name).shape == opened.specs[name].shape for name in opened.names)
    except DamagedFile as error:
        assert str(error).endswith(".")


@given(TENSORS, st.integers(0, 300))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tensors_with_new_names_are_the_same_tensors(tmp_path, tensors, length):
    write_tensors(tmp_path / "file", tensors, {"old": "gone"})
    rename_tensors(tmp_path / "file", {name: f"{name}{'x' * length}" for name in tensors}, {"new": "here"})
    with TensorFile.open(tmp_path / "file") as opened:
        found = {name: opened.array(name).tobytes() for name in opened.names}
        assert (found, dict(opened.metadata)) == (
            {f"{name}{'x' * length}": array.tobytes() for name, array in tensors.items()},
            {"new": "here"},
        )


def test_more_than_one_block_is_moved_whole(tmp_path):
    values = np.arange(700_000, dtype=np.float32)
    write_tensors(tmp_path / "file", {"a": values}, {})
    rename_tensors(tmp_path / "file", {"a": "b" * 500}, {})
    with TensorFile.open(tmp_path / "file") as opened:
        assert np.array_equal(opened.array("b" * 500), values)
