"""Facts about a machine, read from files that the kernel writes in its own way."""

from pathlib import Path

import pytest

from boardagent import sysinfo


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"rockchip,rv1126-evb\0rockchip,rv1126\0", "rockchip,rv1126-evb rockchip,rv1126"),
        (b"performance\n", "performance"),
        (b"\xff\n", "\ufffd"),
    ],
)
def test_a_file_of_the_kernel_becomes_text_that_can_be_stored(tmp_path: Path, data: bytes, text: str) -> None:
    (tmp_path / "file").write_bytes(data)
    assert sysinfo.text_of(str(tmp_path / "file")) == text


def test_a_file_that_is_not_there_has_no_text(tmp_path: Path) -> None:
    assert sysinfo.text_of(str(tmp_path / "file")) is None
