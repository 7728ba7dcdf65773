"""Reading an upload as the worker does: in a job folder, by the real limited child."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboard.imports.found import Found
from workers.jobfolder import JobFolder
from workers.toolkits.imported.recognise import Recognised, recognise
from workers.toolkits.imported.unpack import unpack
from workers.toolkits.importing import read_import

Read = Callable[..., Found]
Look = Callable[[Path], Recognised]
MOST = 1_000_000_000


@pytest.fixture(scope="module")
def read_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Read]:
    """Reads an upload and keeps its job folder, with the dumps in it, until the module's tests are done."""
    folders: list[JobFolder] = []

    def read(path: Path, name: str = "", most: int = MOST, reference: Path | None = None) -> Found:
        folder = JobFolder(tmp_path_factory.mktemp("jobs"), "import-1").__enter__()
        folders.append(folder)
        return read_import(folder, path, name or path.name, max_bytes=most, reference=reference)

    yield read
    for folder in folders:
        folder.__exit__(None, None, None)


@pytest.fixture
def look(tmp_path_factory: pytest.TempPathFactory) -> Look:
    """Recognises an upload in this process, as the child does: for tests of texts, which need no child each."""

    def recognised(path: Path) -> Recognised:
        folder = tmp_path_factory.mktemp("look")
        return recognise(unpack(path, path.name, folder / "unpacked", MOST), folder)

    return recognised
