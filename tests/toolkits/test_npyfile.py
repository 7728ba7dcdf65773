"""Headers of .npy files that a toolkit left damaged: no file, never an error of Python's own."""

from pathlib import Path

import numpy as np
import pytest

from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.rknn2job.npyfile import complete_floats
from workers.toolkits.rknn2job.snapshot import load

TEXTS = ["(((((", "'''", "{'descr': '<f4', 'shape': (", "  1\n 2", "1 / 0", "{}", "[" * 400]


def garbled(path: Path, text: str) -> Path:
    head = (text + "\n").encode()
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(400))
    return path


@pytest.mark.parametrize("text", TEXTS)
def test_a_garbled_header_is_no_complete_file(tmp_path: Path, text: str) -> None:
    assert complete_floats(garbled(tmp_path / "a.npy", text)) is None


@pytest.mark.parametrize("text", TEXTS)
def test_reading_it_is_refused_with_a_code(tmp_path: Path, text: str) -> None:
    with pytest.raises(Refused) as caught:
        load(garbled(tmp_path / "a.npy", text))
    assert caught.value.code == "toolkit:bad-result"


def test_a_whole_file_is_complete(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 3), np.float32))
    found = complete_floats(tmp_path / "a.npy")
    assert found is not None and found.shape == (2, 3)
