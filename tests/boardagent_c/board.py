"""A machine with the C agent on it, driven as a worker drives a board: verbs, journal, blocks."""

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from boardagent import protocol, tensorfile

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SOURCE = ROOT / "boardagent" / "c" / "layerwise_agent.c"
NPU = """#!/bin/sh
echo "the vendor's library prints on stdout"
case "$1" in
    plain) printf 'made-up outputs' > "$3/outputs.safetensors"
           report='{"init_us": 1, "iterations_us": [2.5], "wall_us": [3], "npu": {"simulated": true, "quirks": []}}' ;;
    dump) printf 'made-up layers' > "$3/layers.safetensors"; report='{"format": "dump/1"}' ;;
    *) report='{"total_us": 3, "layers": []}' ;;
esac
eval "$4"
echo "$report" > "$3/report.json"
"""
Event = dict[str, Any]


@dataclass
class Received:
    """What a worker has of a run: entries without gaps, and the bytes of each file so far."""

    entries: list[Event] = field(default_factory=list)
    contents: dict[int, bytearray] = field(default_factory=dict)
    methods: set[str] = field(default_factory=set)
    other: list[Event] = field(default_factory=list)

    def place(self) -> tuple[int, int]:
        """(entry, offset) from which on something is missing."""
        if not self.entries:
            return 0, 0
        last = self.entries[-1]
        have = len(self.contents.get(last["entry"], b""))
        if last["event"] == "file" and have < last["bytes"]:
            return last["entry"], have
        return last["entry"] + 1, 0

    def take(self, stream: IO[bytes]) -> None:
        """Read events and blocks until the stream ends, in the middle of anything if need be."""
        while (line := stream.readline()).endswith(b"\n"):
            event = protocol.decode(line)
            if event["event"] == "block":
                stored = stream.read(event["stored"])
                if len(stored) < event["stored"]:
                    return
                self._block(event, stored)
            elif "entry" in event:
                self._entry(event)
            else:
                self.other.append(event)

    def _entry(self, event: Event) -> None:
        if event["entry"] < len(self.entries):
            assert self.entries[event["entry"]] == event  # told again after a cut, the same as before
            return
        assert event["entry"] == len(self.entries)
        self.entries.append(event)
        if event["event"] == "file":
            self.contents[event["entry"]] = bytearray()

    def _block(self, event: Event, stored: bytes) -> None:
        content = self.contents[event["entry"]]
        plain = zlib.decompress(stored) if event["method"] == "zlib" else stored
        assert event["offset"] == len(content)
        assert len(plain) == event["plain"] <= 256 * 1024
        content.extend(plain)
        self.methods.add(event["method"])

    def files(self) -> dict[str, bytes]:
        """Name -> content; lengths and hashes are the announced ones."""
        found = {}
        for entry in self.entries:
            if entry["event"] == "file":
                content = bytes(self.contents[entry["entry"]])
                assert (len(content), hashlib.sha256(content).hexdigest()) == (
                    entry["bytes"],
                    entry["sha256"],
                )
                found[entry["name"]] = content
        return found

    def result(self) -> Event:
        """The parsed result.json."""
        return protocol.decode(self.files()["result.json"], protocol.MAX_RESULT)

    @property
    def kinds(self) -> list[str]:
        """The kinds of entries in their order, log lines left out."""
        return [entry["event"] for entry in self.entries if entry["event"] != "log"]


class Board:
    """A work folder with an agent in it."""

    def __init__(self, root: Path, program: Path, library: Path) -> None:
        root.mkdir()
        self.root = root
        self.agent = root / "agent"
        shutil.copy(program, self.agent)
        npu = root / "npu"
        npu.write_text(NPU)
        npu.chmod(0o755)
        self.environment = {
            **os.environ,
            "LAYERWISE_SIM_NPU": json.dumps([str(npu)]),
            "LAYERWISE_RKNN_LIBRARY": str(library),
            "ASAN_OPTIONS": "detect_leaks=0:handle_segv=0",
        }
        self._started: list[subprocess.Popen[bytes]] = []
        self._fence = 0

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()
        self.ask("clean", "999999")

    def sim(self, *words: str) -> None:
        """Make the simulated NPU another program."""
        self.environment["LAYERWISE_SIM_NPU"] = json.dumps(words)

    def sim_does(self, script: str) -> None:
        """Let the simulated NPU do more: a piece of shell, $1 is the mode, $2 the folder, $3 where to work."""
        npu = self.root / "npu"
        npu.write_text(NPU.replace('eval "$4"', script))

    def popen(self, *verb: str, **options: Any) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [str(self.agent), *verb], env=self.environment, cwd=self.root,
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )  # fmt: skip
        self._started.append(process)
        return process

    def ask(self, *verb: str) -> tuple[int, list[Event], str]:
        """(exit status, events, complaint) of a verb."""
        process = self.popen(*verb)
        out, complaint = process.communicate(timeout=60)
        assert b"runtime error" not in complaint and b"Sanitizer" not in complaint, complaint.decode()
        return process.returncode, [protocol.decode(line) for line in out.splitlines()], complaint.decode()

    def python(self, *verb: str) -> int:
        """The exit status of the Python agent on the same work folder."""
        environment = {**self.environment, "LAYERWISE_ROOT": str(self.root)}
        done = subprocess.run(
            [sys.executable, "-m", "boardagent", *verb],
            cwd=ROOT,
            env=environment,
            check=False,
            capture_output=True,
        )
        return done.returncode

    def folder(self, fence: int | None = None, *, model: bytes = b"x", **changes: Any) -> Path:
        """A run's folder with its job; the fence is a new one."""
        self._fence = self._fence + 1 if fence is None else fence
        folder = self.root / f"run-{self._fence}"
        folder.mkdir()
        (folder / "artifact").write_bytes(model)
        values = struct.pack("<6f", *range(6))
        tensorfile.write(
            str(folder / "inputs.safetensors"),
            [("x", "F32", (1, 1, 2, 3), values)],
            {"layerwise": "inputs/1"},
        )
        job = {
            "schema": 2, "kind": "run", "run": "17", "fence": self._fence, "artifact": "artifact",
            "inputs": "inputs.safetensors", "npu": "sim", "warmup": 1, "iterations": 1, "modes": ["plain"],
            "deadline_s": 60, "disk_bytes": 1000, **changes,
        }  # fmt: skip
        (folder / "job.json").write_text(json.dumps(job))
        return folder

    def start(self, folder: Path) -> None:
        status, events, complaint = self.ask("start", str(folder))
        assert (status, [event["event"] for event in events]) == (0, ["started"]), complaint

    def attach(self, folder: Path, received: Received, *, have: int | None = None) -> int:
        """Take what is missing of a run; the exit status."""
        entry, offset = received.place()
        process = self.popen("attach", str(folder), str(entry), str(offset), stdin=subprocess.PIPE)
        assert process.stdin and process.stdout and process.stderr
        if have is not None:
            process.stdin.write(b'{"have": %d}\n' % have)
            process.stdin.flush()
        received.take(process.stdout)
        complaint = process.stderr.read().decode()
        assert "Sanitizer" not in complaint, complaint
        return process.wait(30)

    def run(self, **changes: Any) -> Received:
        """Start a run and take all of it."""
        folder = self.folder(**changes)
        self.start(folder)
        received = Received()
        status = self.attach(folder, received)
        assert status == 0, (received.entries, received.other, (folder / "agent.log").read_text())
        return received

    def error(self, **changes: Any) -> Event:
        """The error in which a run ends."""
        error = self.run(**changes).result()["error"]
        assert isinstance(error, dict)
        return error


def wait_until(is_true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until the condition holds; AssertionError when it never does."""
    until = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.02)
