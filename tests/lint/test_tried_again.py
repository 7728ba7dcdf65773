"""What is written down of the real RKNN-Toolkit2 is what it does: a few cases again. `make toolkit-rknn2` first."""

import json
import subprocess
from pathlib import Path

import pytest

from dashboard.lint.facts import tried
from workers.toolkits import rknn2

ROOT = Path(__file__).resolve().parents[2]
TOOLKIT = next(iter(rknn2.here()), None)
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(TOOLKIT is None, reason="RKNN-Toolkit2 is not installed (make toolkit-rknn2)"),
]
CASES = (
    "Ceil",
    "Relu",
    "after Conv: PRelu",
    "DepthToSpace: CRD",
    "Transpose: pixel shuffle",
    "MaxPool: dilated",
)
PROGRAM = """
import importlib, json, sys
importlib.import_module("rknn.api")
from tools.operator_cases import cases
from tools.try_operators import attempt
made = cases()
print(json.dumps({name: attempt(made[name], "rv1126b", "w8a8") for name in sys.argv[1:]}))
"""


def test_the_toolkit_does_what_is_written_down() -> None:
    assert TOOLKIT is not None
    asked = subprocess.run(
        [str(TOOLKIT.python), "-W", "ignore", "-c", PROGRAM, *CASES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=150,
    )
    told = json.loads((tried.FOLDER / "rknn2_rv1126b.json").read_text())["answers"]["w8a8"]
    assert json.loads(asked.stdout.splitlines()[-1]) == {name: told[name] for name in CASES}
