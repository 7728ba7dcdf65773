"""Streaming a dump from a board: how fast against `ssh host 'cat f'`, and how much memory each process needs for it."""

import contextlib
import itertools
import json
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.link.board import RunningBoard
from tests.memory import peak_kb
from workers.link.agent import Agent
from workers.link.receiving import Receiver
from workers.link.session import BoardSession
from workers.link.ssh import SshLink

MB = 1024 * 1024
FENCES = itertools.count(1)
NPU = '#!/bin/sh\nln "$(dirname "$0")/big" "$3/layers.safetensors"\necho "{}" > "$3/report.json"\n'


class DumpingBoard:
    """A board whose NPU leaves a dump of `megabytes` of noise, or of text as the vendor's.

    `run_peak_kb` is the most memory that a run has needed so far.
    """

    def __init__(self, board: RunningBoard, link: SshLink, megabytes: int, *, is_text: bool = False) -> None:
        self.big = board.folder / "big"
        self._workdir = Path(board.workdir)
        self._link = link
        self.run_peak_kb = 0
        (board.folder / "npu").write_text(NPU)
        block = b"".join(b"%f\n" % (n * 0.37) for n in range(120_000))[:MB] if is_text else None
        with self.big.open("wb") as file:
            for _ in range(megabytes):
                file.write(block or os.urandom(MB))
        self._agent = Agent("python", BoardSession(link, board.workdir).deploy())

    @contextlib.contextmanager
    def finished_run(self) -> Iterator[Path]:
        """The folder of a run that has ended, its dump complete and hashed."""
        fence = next(FENCES)
        folder = self._workdir / f"run-{fence}"
        folder.mkdir()
        for name in ("artifact", "inputs"):
            (folder / name).write_bytes(b"x")
        job = {"schema": 2, "kind": "run", "fence": fence, "artifact": "artifact", "inputs": "inputs",
               "npu": "sim", "modes": ["dump"], "deadline_s": 300}  # fmt: skip
        (folder / "job.json").write_text(json.dumps(job))
        self._link.run(self._verb("start", str(folder)), deadline=time.monotonic() + 60)
        run = int((folder / "pids").read_text().split()[0])
        while not (folder / "journal.jsonl").read_text().endswith('"event":"end"}\n'):
            self.run_peak_kb = max(self.run_peak_kb, peak_kb(run))
            time.sleep(0.01)
        yield folder
        shutil.rmtree(folder)

    def receive(self, folder: Path, into: Path) -> tuple[float, int]:
        """Seconds that `attach` and all that came of it took, and the agent's peak memory in KB meanwhile."""
        into.mkdir()
        peaks = [0]

        def look(event: object) -> None:
            words = (folder / "attached").read_text().split()
            peaks.append(peak_kb(int(words[0])) if words else 0)

        start = time.perf_counter()
        with contextlib.closing(Receiver(into, look)) as receiver:
            verb = self._verb("attach", str(folder), "0", "0")
            with self._link.converse(verb, deadline=time.monotonic() + 600, silence_s=30) as talk:
                receiver.hear(talk)
        took = time.perf_counter() - start
        assert receiver.is_whole
        shutil.rmtree(into)
        return took, max(peaks)

    def cat(self, ssh: list[str], into: Path) -> float:
        """Seconds that OpenSSH's client needs for the same file."""
        start = time.perf_counter()
        with into.open("wb") as file:
            subprocess.run([*ssh, f"cat {self.big}"], stdout=file, check=True)
        return time.perf_counter() - start

    def _verb(self, *verb: str) -> list[str]:
        return self._agent.command(str(self._workdir), *verb)


def own_peak_kb() -> int:
    """The most memory of this process, in KB, which does a worker's part."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
