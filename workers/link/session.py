"""One visit to a board: bring the agent, take the board with a fence, send the job, bring the results home.

Nothing a board says is believed unseen (answer.py), and nothing of ours stays there but the agent itself.
"""

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from boardagent import protocol
from workers.errors import JobError, LeaseLost
from workers.link import answer, scripts
from workers.link.base import Completed, Link, board_failure, is_full_disk
from workers.link.bundle import agent_bundle
from workers.link.results import BoardInfo, RunResult

Event = dict[str, Any]
SETUP_S = 60.0
SILENCE_S = 30.0  # the agent speaks every two seconds
MOST_LINES = 100_000
NO_PROGRAM = {126, 127}


class BoardSession:
    """Speaks with the agent over one link. `workdir` is a folder on the board that is ours alone."""

    def __init__(self, link: Link, workdir: str, *, silence_s: float = SILENCE_S) -> None:
        self._link = link
        self._workdir = workdir.rstrip("/") or "/"
        self._silence_s = silence_s
        self._agent = ""

    def deploy(self, *, deadline_s: float = SETUP_S) -> str:
        """Bring the agent unless it is there; its file name. Raises "board:no-python", "board:disk-full"."""
        bundle, deadline = agent_bundle(), time.monotonic() + deadline_s
        done = self._link.run(scripts.shell(scripts.PREPARE, self._workdir, bundle.name), deadline=deadline)
        if done.status == scripts.ABSENT:
            with TemporaryDirectory() as folder:
                local = Path(folder) / bundle.name
                local.write_bytes(bundle.data)
                self._link.put(local, self._path(bundle.name), deadline=deadline)
        elif done.status != 0:
            raise _cannot_start(done)
        self._agent = bundle.name
        return bundle.name

    def hello(self, *, deadline_s: float = SETUP_S) -> BoardInfo:
        """What this board is and has; brings the agent first."""
        self.deploy(deadline_s=deadline_s)
        said = self._ask(["hello"], "hello", deadline=time.monotonic() + deadline_s)
        return answer.board_info(said, self._agent)

    def run(
        self,
        job: Mapping[str, Any],
        files: Mapping[str, Path],
        into: Path,
        *,
        deadline_s: float,
        fence: int,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> RunResult:
        """Do `job` ("Board run" in ARCHITECTURE.md) with `files`, name -> local path; results land in `into`.

        `fence` must grow with every claim of this board; LeaseLost when a newer one has been there.
        `on_event` gets the contract's stage and log events; what it raises ends the run. Failures carry
        `board:*` codes. `into` must exist.
        """
        visit = _Visit(job, files, fence, time.monotonic() + deadline_s)
        self.deploy(deadline_s=deadline_s)
        taken = self._ask(["clean", str(fence)], "clean", deadline=visit.deadline)
        visit.check_room(answer.board_info(answer.mapping(taken.get("hello"), "hello"), self._agent))
        folder = self._path(visit.folder)
        try:
            self._send(visit, folder, on_event)
            said = self._ask(["run", folder], "end", deadline=visit.deadline, on_event=on_event)
            return self._fetch(visit, folder, said, into, on_event)
        finally:
            self._sweep(folder)

    def _path(self, name: str) -> str:
        return f"{self._workdir}/{name}"

    def _send(self, visit: "_Visit", folder: str, on_event: Callable[[Event], None]) -> None:
        made = self._link.run(scripts.shell(scripts.NEW_FOLDER, folder), deadline=visit.deadline)
        if made.status != 0:
            raise _cannot_start(made)
        with TemporaryDirectory() as scratch:
            job_file = Path(scratch) / "job.json"
            job_file.write_text(json.dumps(visit.job(), allow_nan=False))
            for done, (name, path) in enumerate({**visit.files, "job.json": job_file}.items()):
                on_event({"event": "stage", "name": "sending", "done": done, "total": len(visit.files) + 1})
                self._link.put(path, f"{folder}/{name}", deadline=visit.deadline)

    def _fetch(
        self, visit: "_Visit", folder: str, said: Event, into: Path, on_event: Callable[[Event], None]
    ) -> RunResult:
        expected = answer.announced(said.get("result"), "result.json", protocol.MAX_RESULT)
        self._get(folder, "result.json", expected, into, visit.deadline)
        try:
            result = protocol.decode((into / "result.json").read_bytes(), protocol.MAX_RESULT)
        except protocol.BadMessage as error:
            raise answer.bad(f"result.json: {error}") from error
        found = answer.files_of(result)
        for done, (name, file) in enumerate(found.items()):
            on_event({"event": "stage", "name": "fetching", "done": done, "total": len(found)})
            self._get(folder, name, file, into, visit.deadline)
        return answer.run_result(result, visit.job(), into, self._agent)

    def _get(self, folder: str, name: str, file: answer.Announced, into: Path, deadline: float) -> None:
        received = self._link.get(
            f"{folder}/{name}", into / name, deadline=deadline, max_bytes=file.size, sha256=file.sha256
        )
        if received.size != file.size:
            raise answer.bad(f"{name} has {received.size} bytes instead of {file.size}")

    def _ask(
        self,
        verb: list[str],
        wanted: str,
        *,
        deadline: float,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> Event:
        """Run one verb of the agent and return its event `wanted`."""
        heard = _Hearing(wanted, on_event)
        done = self._link.run(
            ["python3", "-I", self._path(self._agent), *verb],
            deadline=deadline,
            on_line=heard.line,
            silence_s=self._silence_s,
        )
        if done.status == protocol.EXIT_STALE_FENCE:
            raise LeaseLost("the board has been taken with a newer fence")
        if done.status != 0:
            raise _cannot_start(done)
        if heard.answer is None:
            raise answer.bad(f"the agent ended without its answer to {verb[0]}")
        return heard.answer

    def _sweep(self, folder: str) -> None:
        """Leave nothing behind, if the link still stands; the next fence does it otherwise."""
        with contextlib.suppress(JobError):
            self._link.run(scripts.shell(scripts.REMOVE, folder), deadline=time.monotonic() + 10)


class _Visit:
    """What a run was asked for, checked before anything is sent."""

    def __init__(
        self, job: Mapping[str, Any], files: Mapping[str, Path], fence: int, deadline: float
    ) -> None:
        self.files, self.fence, self.deadline = dict(files), fence, deadline
        self.folder = f"run-{fence}"
        self._given = {"modes": list(protocol.MODES), "warmup": 2, "iterations": 20, **job}
        missing = {self._given.get("artifact"), self._given.get("inputs")} - set(self.files)
        if missing or not all(answer.PLAIN_NAME.fullmatch(name) for name in self.files):
            raise ValueError(f"a job's files must be given under plain names; missing {missing}")

    def job(self) -> dict[str, Any]:
        """job.json: the agent's own deadline is never later than ours."""
        left = max(1.0, self.deadline - time.monotonic())
        limit = min(float(self._given.get("deadline_s", left)), left)
        return {**self._given, "schema": 1, "kind": "run", "fence": self.fence, "deadline_s": limit}

    def check_room(self, board: BoardInfo) -> None:
        """Raises "board:disk-full" when what we would send does not even fit."""
        needed = sum(path.stat().st_size for path in self.files.values()) + 1024 * 1024
        if board.disk_free_bytes < needed:
            raise board_failure("board:disk-full", f"{board.disk_free_bytes} bytes free, {needed} needed")


class _Hearing:
    """Listens to the agent's lines: events are passed on, the wanted one is kept, other text is log."""

    def __init__(self, wanted: str, on_event: Callable[[Event], None]) -> None:
        self.answer: Event | None = None
        self._wanted = wanted
        self._on_event = on_event
        self._lines = 0

    def line(self, data: bytes) -> None:
        """One line. Raises "board:bad-answer" for what only looks like an event, or too many of them."""
        self._lines += 1
        if self._lines > MOST_LINES:
            raise answer.bad(f"more than {MOST_LINES} lines")
        if not data.startswith(b"{"):
            self._on_event({"event": "log", "text": data.decode(errors="replace")[:2000]})
            return
        try:
            message = protocol.decode(data)
        except protocol.BadMessage as error:
            raise answer.bad(f"a damaged message: {error}") from error
        self._sort(message)

    def _sort(self, message: Event) -> None:
        kind = message.get("event")
        if kind == self._wanted:
            self.answer = message
        elif kind == "stage":
            counts = {name: int(answer.number(message.get(name), name, 1e6)) for name in ("done", "total")}
            self._on_event({"event": "stage", "name": answer.text(message.get("name"), "name", 60), **counts})
        elif kind == "log":
            self._on_event({"event": "log", "text": answer.text(message.get("text"), "text", 4000)})


def _cannot_start(done: Completed) -> JobError:
    """Why a command of ours failed on the board, by its exit status and its words."""
    if done.status in {protocol.EXIT_UNUSABLE_PYTHON, *NO_PROGRAM}:
        return board_failure("board:no-python", done.complaint or "there is no python3 on the board's PATH")
    if is_full_disk(done.complaint):
        return board_failure("board:disk-full", done.complaint)
    how = "a signal" if done.status is None else f"status {done.status}"
    return board_failure("board:agent-died", f"ended with {how}. {done.complaint}")
