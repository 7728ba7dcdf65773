"""The text files of a snapshot are deleted while the vendor's tool writes on."""

import time
from pathlib import Path

import pytest

from workers.toolkits.rknn2job.meanwhile import meanwhile
from workers.toolkits.rknn2job.texts import texts_deleted


def wait_until_gone(path: Path) -> bool:
    """Whether `path` went within a time that only a broken watch needs."""
    give_up = time.monotonic() + 30
    while path.exists() and time.monotonic() < give_up:
        time.sleep(0.01)
    return not path.exists()


def test_a_text_goes_while_the_work_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "golden"  # made by the tool, after the watch began
    with texts_deleted([folder]):
        folder.mkdir()
        (folder / "conv.txt").write_text("0.5\n")
        assert wait_until_gone(folder / "conv.txt")


def test_what_is_written_last_goes_too(tmp_path: Path) -> None:
    with texts_deleted([tmp_path]):
        (tmp_path / "last.txt").write_text("0.5\n")
    assert not (tmp_path / "last.txt").exists()


def test_tables_and_tensors_stay(tmp_path: Path) -> None:
    kept = [tmp_path / "error_analysis.txt", tmp_path / "golden" / "npy" / "conv.npy"]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"kept")
    with texts_deleted([tmp_path / "golden"]):
        (tmp_path / "golden" / "conv.txt").write_text("0.5\n")
    assert [path.exists() for path in kept] == [True, True]


def test_a_call_that_fails_ends_what_was_done_beside_it(tmp_path: Path) -> None:
    done: list[int] = []
    with pytest.raises(RuntimeError, match="the tool"), meanwhile(lambda: done.append(1)):
        raise RuntimeError("the tool")
    count = len(done)
    time.sleep(0.3)
    assert len(done) == count
