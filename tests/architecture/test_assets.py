"""Fetching what the pages need: npm is found with and without one on PATH."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tools import assets


def test_the_npm_of_the_package_runs_where_path_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = subprocess.run(
        [*assets.npm(), "--version"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert said.stdout.split(".")[0].isdigit(), said.stderr


def test_the_npm_on_path_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("npm", "node"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert assets.npm() == [shutil.which("npm")] == [str(tmp_path / "npm")]


def test_every_file_the_base_page_asks_for_is_fetched() -> None:
    pages = [page.read_text() for page in (assets.ROOT / "dashboard" / "templates").rglob("*.html")]
    names = {text.split("'")[0].split('"')[0] for page in pages for text in page.split("vendor/")[1:]}
    assert names and names <= {path.name for path in assets.VENDOR.iterdir()}


def test_nothing_is_fetched_that_no_page_asks_for() -> None:
    pages = "".join(page.read_text() for page in (assets.ROOT / "dashboard" / "templates").rglob("*.html"))
    wanted = json.loads((assets.ROOT / "package.json").read_text())["layerwise"]["assets"].values()
    code = [name for name in wanted if not name.endswith((".LICENSE", ".map"))]
    assert code and all(f"vendor/{name}" in pages for name in code)
