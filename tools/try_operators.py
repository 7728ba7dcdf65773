"""Asks the installed RKNN-Toolkit2 what it does with each operator, and writes the answers down as facts.

    .toolkits/rknn2/bin/python -m tools.try_operators rv1126b                (all cases, about a minute)
    .toolkits/rknn2/bin/python -m tools.try_operators rv1126b "Conv" "Relu"  (these anew, the others as they were)

They go to dashboard/lint/tried/, a file a platform.
Runs in the toolkit's interpreter. Every case (tools/operator_cases.py) is built in a process of its own, as the
toolkit may abort; what it prints is read for the compiler's layer table.
"""

import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from tools.operator_cases import SHAPE, cases
from workers.toolkits.vendor.build_log import read_build_log

FOLDER = Path(__file__).resolve().parent.parent / "dashboard" / "lint" / "tried"
KINDS = ("w8a8", "float")
OUTSIDE = ("InputOperator", "OutputOperator", "exDataConvert")
UNITS = ("NPU", "CPU", "GPU")
SECONDS = 120


def main(platform: str, names: Sequence[str]) -> None:
    """Try the cases of these names (none: all) and write the platform's file, a case a line, so that a new version's
    differences are seen."""
    importlib.import_module("rknn.api")  # once here instead of in each child
    file = FOLDER / f"rknn2_{platform}.json"
    told = json.loads(file.read_text())["answers"] if names else {kind: {} for kind in KINDS}
    chosen = {name: model for name, model in cases().items() if name in names or not names}
    for kind in KINDS:
        told[kind] |= {name: attempt(model, platform, kind) for name, model in chosen.items()}
    rows = {kind: ",\n".join(_row(name, told[kind][name]) for name in sorted(told[kind])) for kind in KINDS}
    head = json.dumps({"toolkit": f"rknn-toolkit2 {version('rknn-toolkit2')}", "platform": platform})[:-1]
    body = ",\n".join(f'"{kind}": {{\n{lines}\n}}' for kind, lines in rows.items())
    file.write_text(f'{head}, "answers": {{\n{body}\n}}}}\n')


def _row(name: str, answer: dict[str, Any]) -> str:
    return f"{json.dumps(name)}: {json.dumps(answer)}"


def attempt(model: ModelProto, platform: str, kind: str) -> dict[str, Any]:
    """`{"layers": [[op, target], ...]}` of a build, `{"refused": text}`, or `{"died": status}`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        child = os.fork()
        if child == 0:
            _build(folder, platform, kind)
        status = _ended(child)
        answer = folder / "answer"
        if status != 0 or not answer.exists():
            return {"died": status}
        refused = answer.read_text()
        if refused:
            return {"refused": refused}
        layers = read_build_log((folder / "log").read_text(errors="replace")).layers
        return {
            "layers": [
                [layer.op, layer.target]
                for layer in layers
                if layer.op not in OUTSIDE and layer.target in UNITS
            ]
        }


def _ended(child: int) -> int:
    """The child's exit status; one that takes too long is killed."""
    for _ in range(SECONDS * 20):
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, 9)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _build(folder: Path, platform: str, kind: str) -> None:
    """In the child: build, write "" or the reason of the refusal to `answer`, and end."""
    os.chdir(folder)
    log = os.open("log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    np.save("x.npy", np.random.default_rng(2).uniform(0.1, 0.9, SHAPE).astype(np.float32))
    Path("set.txt").write_text("x.npy\n")
    try:
        refused = _steps(platform, kind)
    except Exception as error:
        refused = _cause(str(error)) or type(error).__name__
    Path("answer").write_text(refused)
    os._exit(0)


def _steps(platform: str, kind: str) -> str:
    from rknn.api import RKNN

    rknn = RKNN(verbose=True)
    rknn.config(target_platform=platform)
    if rknn.load_onnx("model.onnx") != 0:
        return "load_onnx returned -1"
    quantize = kind != "float"
    if rknn.build(do_quantization=quantize, dataset="set.txt" if quantize else None) != 0:
        return "build returned -1"
    return ""


def _cause(text: str) -> str:
    """The last line of a nested traceback that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
