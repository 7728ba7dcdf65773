"""`python -m examples.build`: four files whose bytes never change."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from examples.build import build, contents

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder built by a process of its own, with another time zone and hash seed than ours."""
    folder = tmp_path_factory.mktemp("example") / "out"
    subprocess.run(
        [sys.executable, "-m", "examples.build", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        check=True,
        timeout=60,
    )
    return folder


def test_another_process_writes_the_same_bytes(folder: Path) -> None:
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == contents()


def test_the_four_files_are_written(tmp_path: Path) -> None:
    names = [path.name for path in build(tmp_path / "new" / "folder")]
    assert names == ["direct.onnx", "traced.onnx", "calibration.zip", "evaluation.zip"]


def test_a_file_that_is_already_right_is_left_alone(folder: Path) -> None:
    before = [path.stat().st_mtime_ns for path in sorted(folder.iterdir())]
    build(folder)
    assert [path.stat().st_mtime_ns for path in sorted(folder.iterdir())] == before


def test_a_damaged_file_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "direct.onnx").write_bytes(b"half a mod")
    build(tmp_path)
    assert (tmp_path / "direct.onnx").read_bytes() == contents()["direct.onnx"]


def test_the_evaluation_set_holds_the_held_out_pictures(folder: Path) -> None:
    with zipfile.ZipFile(folder / "evaluation.zip") as archive:
        assert archive.namelist() == ["astronaut.png", "motorcycle.png"]
