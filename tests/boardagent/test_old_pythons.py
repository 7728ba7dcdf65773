"""The agent on the Pythons that boards have: its syntax everywhere, the real thing where a version manager has them."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from boardagent import protocol
from workers.link.bundle import agent_bundle

ROOT = Path(protocol.__file__).parent.parent
NPU = """#!/bin/sh
echo "the vendor library prints on stdout"
echo '{"init_us": 1, "iterations_us": [2.5], "npu": {"simulated": true}}' > "$3/report.json"
"""


def old_pythons() -> dict[str, str]:
    """Pythons that boards have, where a version manager has them; vermin gates the syntax anyway."""
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {version: sorted(home.glob(f"{version}.*/bin/python3")) for version in ("3.6", "3.7")}
    return {version: str(paths[-1]) for version, paths in found.items() if paths}


PYTHONS = {**old_pythons(), "this": sys.executable}


@pytest.fixture(params=PYTHONS)
def python(request: pytest.FixtureRequest) -> str:
    """Each interpreter in turn."""
    return PYTHONS[request.param]


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """The agent as a board gets it."""
    path = tmp_path / agent_bundle().name
    path.write_bytes(agent_bundle().data)
    return path


def ask(python: str, agent: Path, *verb: str) -> dict[str, object]:
    """The last event of a verb."""
    npu = agent.parent / "npu"
    npu.write_text(NPU)
    npu.chmod(npu.stat().st_mode | stat.S_IXUSR)
    environment = {"PATH": "/usr/bin:/bin", "LAYERWISE_SIM_NPU": json.dumps([str(npu)])}
    done = subprocess.run(
        [python, "-I", str(agent), *verb], capture_output=True, env=environment, timeout=30, check=True
    )
    return protocol.decode(done.stdout.splitlines()[-1])


def make_run(folder: Path, fence: int, *modes: str) -> Path:
    run = folder / f"run-{fence}"
    run.mkdir()
    for name in ("a.onnx", "i.safetensors"):
        (run / name).write_bytes(b"x")
    job = {"schema": 1, "kind": "run", "run": "1", "fence": fence, "artifact": "a.onnx",
           "inputs": "i.safetensors", "npu": "sim", "modes": list(modes)}  # fmt: skip
    (run / "job.json").write_text(json.dumps(job))
    return run


def test_the_agent_needs_nothing_newer_than_python_3_6() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("vermin")), "-t=3.6-", "--no-tips", "boardagent"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_it_introduces_itself(python: str, agent: Path) -> None:
    assert ask(python, agent, "hello")["npus"] == ["sim"]


def test_it_finds_every_module_it_needs(python: str, agent: Path) -> None:
    assert ask(python, agent, "hello")["modules"] == sorted(protocol.NEEDED_MODULES)


def test_a_run_ends_with_a_result(python: str, agent: Path) -> None:
    run = make_run(agent.parent, 3, "plain")
    ask(python, agent, "run", str(run))
    assert json.loads((run / "result.json").read_text())["plain"]["iterations_us"] == [2.5]


def test_what_the_library_prints_stays_off_the_channel(python: str, agent: Path) -> None:
    run = make_run(agent.parent, 3, "plain")
    assert ask(python, agent, "run", str(run))["event"] == "end"


def test_cleaning_removes_older_runs(python: str, agent: Path) -> None:
    make_run(agent.parent, 3, "plain")
    assert ask(python, agent, "clean", "4")["removed"] == ["run-3"]


def test_the_bundle_is_named_by_its_bytes() -> None:
    digest = hashlib.sha256(agent_bundle().data).hexdigest()
    assert agent_bundle().name == f"agent-{digest[:16]}.pyz"


def test_the_bundle_is_the_same_in_every_process() -> None:
    code = "from workers.link.bundle import agent_bundle; print(agent_bundle().name)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"},
    )  # fmt: skip
    assert done.stdout.strip() == agent_bundle().name
