"""An NPU that computes nothing: `python -m simboard.null [options] MODE FOLDER OUT`, for tests of many boards at once.

It takes any artifact and answers at once, the same for the same artifact and inputs: a few numbers made of their
hash. All that it says is labelled simulated. Standard library only: fifty of them fit on a small machine.
"""

import argparse
import hashlib
import json
import struct
import sys
import time
from pathlib import Path
from typing import Any

from boardagent import tensorfile

NAME = "null NPU, computes nothing"
SHAPE = (1, 8)
LAYER: dict[str, Any] = {
    "key": "all", "name": "all", "op": "Null", "layout": "", "scale": None, "zero_point": None, "qmin": None,
    "qmax": None, "inputs": [], "sources": [],
}  # fmt: skip


def numbers(folder: Path, job: dict[str, Any]) -> bytes:
    """Eight floats of 0..1 that the artifact and the inputs decide."""
    digest = hashlib.sha256((folder / job["artifact"]).read_bytes() + (folder / job["inputs"]).read_bytes())
    return struct.pack("<8f", *(byte / 255 for byte in digest.digest()[:8]))


def report(mode: str, folder: Path, out: Path) -> dict[str, Any]:
    """One mode's part of the result; its file is left in `out`."""
    if mode == "probe":
        return {}
    job = json.loads((folder / "job.json").read_text())
    if mode == "plain":
        _save(out / "outputs.safetensors", "y", numbers(folder, job), {"layerwise": "outputs/1"})
        times = [1.0] * int(job.get("iterations", 20))
        return {"init_us": 1, "iterations_us": times, "wall_us": times}
    if mode == "timed":
        row = {"key": "all", "name": "all", "op": "Null", "target": "none", "uid": 0, "time_us": 1.0}
        return {"total_us": 1.0, "layers": [row]}
    if mode == "dump":
        about = {
            "layerwise": "dump/1",
            "rung": "board",
            "simulated": "yes",
            "quirks": "",
            "layers": json.dumps([LAYER]),
        }
        _save(out / "layers.safetensors", "all", numbers(folder, job), about)
        return {"format": "dump/1"}
    checks = {"same-input": "repeats", "alternating": "repeats", "reload": "reloads"}
    wanted = job.get("sequence") or {}
    return {"checks": [_nothing(name, int(wanted.get(count, 3))) for name, count in checks.items()]}


def _nothing(name: str, runs: int) -> dict[str, Any]:
    return {"name": name, "runs": runs, "differing": [], "max_difference": 0.0, "hangs": 0, "median_us": 1.0}


def _save(path: Path, name: str, data: bytes, about: dict[str, str]) -> None:
    tensorfile.write(str(path), [(name, "F32", SHAPE, data)], about)


def main(arguments: list[str]) -> int:
    """The program's exit status."""
    parser = argparse.ArgumentParser(prog="simboard.null", description=__doc__)
    parser.add_argument("--quirk", action="append", default=[])
    parser.add_argument("--board-seconds", type=float, default=0.0)
    parser.add_argument("mode", choices=["plain", "timed", "dump", "sequence", "probe"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args(arguments)
    found = report(given.mode, given.folder, given.out)
    if given.mode == "plain":
        time.sleep(given.board_seconds)
    about = {"simulated": True, "quirks": sorted(given.quirk), "npu": NAME}
    (given.out / "report.json").write_text(json.dumps({**found, "npu": about}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
