"""The test suite's own plug-ins: with REQUIRE_ALL a skip fails, and the second pass keeps what touches the database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

SKIPS = {
    "mark": "import pytest\n@pytest.mark.skip(reason='no board')\ndef test_it(): pass\n",
    "body": "import pytest\ndef test_it(): pytest.skip('no board')\n",
    "module": "import pytest\npytest.skip('no board', allow_module_level=True)\n",
    "fixture": "import pytest\n@pytest.fixture\ndef board(): pytest.skip('no board')\ndef test_it(board): pass\n",
}
DATABASE = """
import pytest
@pytest.fixture
def db(): return None
@pytest.fixture
def project(db): return None
def test_pure(): pass
def test_with_a_row(project): pass
@pytest.mark.django_db
def test_marked(): pass
"""


def _run(folder: Path, text: str, plugin: str, require_all: str = "") -> str:
    """What pytest says about one test file in a project of its own."""
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = django_db\n")
    (folder / "test_one.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", plugin]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "REQUIRE_ALL": require_all}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # ours alone: the others take seconds to load
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    ).stdout


@pytest.mark.parametrize("kind", SKIPS)
def test_a_skip_is_a_failure_when_everything_is_required(kind: str, tmp_path: Path) -> None:
    assert "REQUIRE_ALL=1 allows no skip" in _run(tmp_path, SKIPS[kind], "tests.require_all", "1")


def test_a_skip_is_a_skip_otherwise(tmp_path: Path) -> None:
    assert "1 skipped" in _run(tmp_path, SKIPS["body"], "tests.require_all")


def test_an_expected_failure_stays_one_when_everything_is_required(tmp_path: Path) -> None:
    text = "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_it(): assert False\n"
    assert "1 xfailed" in _run(tmp_path, text, "tests.require_all", "1")


def test_the_second_pass_keeps_what_touches_the_database(tmp_path: Path) -> None:
    assert "2 passed, 1 deselected" in _run(tmp_path, DATABASE, "tests.database_only")
