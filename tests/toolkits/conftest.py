"""A job folder that the test uses like a worker does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.jobfolder import JobFolder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[JobFolder]:
    with JobFolder(tmp_path / "jobs", "conversion-1") as opened:
        yield opened
