"""Who may import whom: the contracts of pyproject.toml, and what import-linter cannot see."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, imported, imported_packages, python_files

JOB_SIDE = {"numpy", "onnx", "onnxruntime", "google", "PIL", "similarity", "workers"}


def test_every_import_contract_is_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("file", python_files("boardagent"), ids=str)
def test_the_agent_needs_the_standard_library_only(file: Path) -> None:
    assert imported_packages(file) - sys.stdlib_module_names <= {"boardagent"}


@pytest.mark.parametrize("file", python_files("similarity"), ids=str)
def test_similarity_needs_numpy_only(file: Path) -> None:
    """And numba, in the one file whose loop NumPy cannot make fast enough."""
    allowed = {"numpy", "similarity"} | ({"numba"} if file.name == "fused.py" else set())
    assert imported_packages(file) - sys.stdlib_module_names <= allowed


@pytest.mark.parametrize(
    "file", [file for file in python_files("workers") if file.name.endswith("_job.py")], ids=str
)
def test_a_toolkit_job_needs_its_toolkit_only(file: Path) -> None:
    own = {"torch"} if file.name == "torch_job.py" else set()  # it runs in PyTorch's own environment
    assert imported_packages(file) - sys.stdlib_module_names <= JOB_SIDE | own


def test_nobody_imports_a_toolkit_job() -> None:
    importers = {
        str(file): names
        for file in python_files()
        if (names := {name for name in imported(file) if name.endswith("_job")})
    }
    assert importers == {}


def test_the_keeper_starts_without_installed_packages() -> None:
    names = ["dashboard/supervisor/keeper.py", "dashboard/supervisor/kernel.py", "dashboard/__init__.py"]
    packages = set().union(*(imported_packages(Path(name)) for name in names))
    assert packages - sys.stdlib_module_names <= {"dashboard"}
