"""The real agent as processes on this machine, and the runs that it is given."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boardagent import fences, protocol

ROOT = Path(protocol.__file__).parent.parent
SLEEPING = "#!/bin/sh\nsleep 600 & echo $! > $3/grandchild; wait\n"
# Plain leaves a small file; the dump leaves $SIZE bytes. Each execution is counted.
WORKING = """\
#!/bin/sh
echo "$1" >> "$2/../executions"
echo "the vendor library prints on stdout"
case $1 in
plain) printf hello > "$3/part" && mv "$3/part" "$3/outputs.safetensors" ;;
dump) head -c {size} {source} > "$3/part" && mv "$3/part" "$3/layers.safetensors" ;;
esac
sleep {seconds}
echo '{{"init_us": 1, "iterations_us": [2.5], "npu": {{"simulated": true, "npu": "1.2"}}}}' > "$3/report.json"
"""


def working(*, size: int = 1000, seconds: float = 0.0, source: str = "/dev/urandom") -> str:
    """An NPU program that leaves files."""
    return WORKING.format(size=size, seconds=seconds, source=source)


@dataclass
class Agents:
    """Agents in the work folder `root`, with an NPU that is a shell script."""

    root: Path
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def npu(self, script: str) -> None:
        """Give the board this NPU."""
        path = self.root / "npu"
        path.write_text(script)
        path.chmod(0o755)

    def start(self, *verb: str, command: tuple[str, ...] = ("-m", "boardagent")) -> "subprocess.Popen[bytes]":
        """Begin a verb."""
        environment = {
            **os.environ,
            "LAYERWISE_SIM_NPU": json.dumps([str(self.root / "npu")]),
            "LAYERWISE_ROOT": str(self.root),
        }
        process = subprocess.Popen(
            [sys.executable, *command, *verb],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.started.append(process)
        return process

    def do(self, *verb: str) -> "subprocess.CompletedProcess[bytes]":
        """Do a verb; its outputs and exit status. Standard input is empty."""
        process = self.start(*verb)
        out, err = process.communicate(timeout=30)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def close(self) -> None:
        """End all that was started, the runs that live on by themselves too."""
        fences.end_leftovers(str(self.root), 10**9)
        for process in self.started:
            process.kill()
            process.communicate()


def run_folder(root: Path, fence: int, **changes: object) -> Path:
    """The folder of a run, ready to be started."""
    folder = root / f"run-{fence}"
    folder.mkdir()
    for name in ("a.onnx", "i.safetensors"):
        (folder / name).write_bytes(b"x")
    job = {"schema": 2, "kind": "run", "run": "1", "fence": fence, "artifact": "a.onnx",
           "inputs": "i.safetensors", "npu": "sim", "modes": ["plain"], "deadline_s": 60, **changes}  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))
    return folder


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether it came true in time."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def is_gone(pid: int) -> bool:
    return wait_for(lambda: fences.start_time(pid) is None)


def number_in(path: Path) -> int:
    """The number that a script writes into a file, once it did."""
    wait_for(lambda: path.exists() and bool(path.read_text().strip()))
    return int(path.read_text())


def grandchild_of(folder: Path) -> int:
    """The pid of what the sleeping NPU started, once it did."""
    return number_in(folder / "plain" / "grandchild")


def run_pid(folder: Path) -> int:
    """The pid of the run itself."""
    return int((folder / "pids").read_text().split()[0])


def journal_of(folder: Path) -> list[dict[str, Any]]:
    """The entries so far."""
    path = folder / "journal.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def has_ended(folder: Path) -> bool:
    return any(entry["event"] == "end" for entry in journal_of(folder))


def result_of(folder: Path) -> dict[str, Any]:
    """The result of a run, once it has ended."""
    assert wait_for(lambda: has_ended(folder)), (folder / "agent.log").read_text()
    return dict(json.loads((folder / "result.json").read_text()))


def messages(stream: bytes) -> list[tuple[dict[str, Any], bytes]]:
    """What `attach` said: each message, and the bytes behind it if it is a block."""
    found = []
    while stream:
        line, _, stream = stream.partition(b"\n")
        message = protocol.decode(line)
        count = message["stored"] if message["event"] == "block" else 0
        found.append((message, stream[:count]))
        stream = stream[count:]
    return found
