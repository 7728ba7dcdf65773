"""One visit to a board: bring the agent, take the board with a fence, send the job, follow it, bring it all home.

Nothing a board says is believed unseen (answer.py, receiving.py), and nothing of ours stays there but the agent
itself. A link that breaks while the run goes on is made anew; the network is not executed again for that.
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
from workers.link.agent import Agent, bring, cannot_start
from workers.link.base import Link, board_failure
from workers.link.hearing import Event, Hearing, Listener
from workers.link.receiving import Receiver, result_of
from workers.link.results import BoardInfo, RunResult
from workers.link.visit import Visit

SETUP_S = 60.0
SILENCE_S = 20.0  # the agent speaks every two seconds
RESUME_S = 120.0  # how long nothing may arrive while a link that broke is made anew
LONGEST_PAUSE_S = 5.0
TIDY_S = 10.0
Reconnect = Callable[[], Link]


def nobody(event: Event) -> None:
    """Listens to nothing."""


class BoardSession:
    """Speaks with the agent over one link at a time. `workdir` is a folder on the board that is ours alone.

    `reconnect` makes a new link when the first one breaks during a run; such links are closed by `close`, the first
    one belongs to the caller. `agent` is the wanted one ("python" or "c"), `c_agents` the folder of C agents.
    """

    def __init__(
        self,
        link: Link,
        workdir: str,
        *,
        silence_s: float = SILENCE_S,
        reconnect: Reconnect | None = None,
        resume_s: float = RESUME_S,
        agent: str = "python",
        c_agents: Path | None = None,
    ) -> None:
        self._link = link
        self._workdir = workdir.rstrip("/") or "/"
        self._silence_s, self._resume_s = silence_s, resume_s
        self._reconnect = reconnect
        self._own_link: Link | None = None
        self._wanted, self._c_agents = agent, c_agents
        self._agent: Agent | None = None

    def __enter__(self) -> "BoardSession":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back what this session connected itself."""
        if self._own_link is not None:
            self._own_link.close()
            self._own_link = None

    def deploy(self, *, deadline_s: float = SETUP_S) -> str:
        """Bring the agent unless it is there; its file name. Raises "board:no-python", "board:disk-full"."""
        return self._brought(time.monotonic() + deadline_s).name

    def hello(self, *, deadline_s: float = SETUP_S) -> BoardInfo:
        """What this board is and has; brings the agent first."""
        said = self._ask(["hello"], "hello", deadline=time.monotonic() + deadline_s)
        return self._info(said)

    def probe(self, on_event: Listener = nobody, *, deadline_s: float = SETUP_S) -> BoardInfo:
        """Try each NPU of the board; `on_event` gets a `step` event (npu, name, ok, text) for each step."""
        said = self._ask(["probe"], "probe", deadline=time.monotonic() + deadline_s, on_event=on_event)
        return self._info(said)

    def run(
        self,
        job: Mapping[str, Any],
        files: Mapping[str, Path],
        into: Path,
        *,
        deadline_s: float,
        fence: int,
        on_event: Listener = nobody,
    ) -> RunResult:
        """Do `job` ("Board run" in ARCHITECTURE.md) with `files`, name -> local path; results land in `into`.

        `fence` must grow with every claim of this board; LeaseLost when a newer one has been there.
        `on_event` gets stage and log events, and a beat or a block every few seconds; what it raises ends the run.
        Failures carry `board:*` codes. `into` must exist.
        """
        visit = Visit(job, files, fence, time.monotonic() + deadline_s)
        taken = self._ask(["clean", str(fence)], "clean", deadline=visit.deadline)
        visit.taken(self._info(answer.mapping(taken.get("hello"), "hello")))
        is_done = is_lost = False
        try:
            self._send(visit, on_event)
            with contextlib.closing(Receiver(into, on_event)) as receiver:
                self._follow(visit, receiver, on_event)
            is_done = True
            result = result_of(into)
            return answer.run_result(result, visit.job(), into, receiver.files, self._brought_name())
        except JobError as error:
            is_lost = error.code == "board:link-lost"
            raise
        finally:
            if not is_lost:  # else it would wait once more for a board that does not answer
                self._sweep(visit, is_done)

    def _send(self, visit: Visit, on_event: Listener) -> None:
        folder = self._path(visit.folder)
        new_folder = scripts.shell(scripts.NEW_FOLDER, folder)
        made = self._link.run(new_folder, deadline=visit.deadline, silence_s=self._silence_s)
        if made.status != 0:
            raise cannot_start(made)
        with TemporaryDirectory() as scratch:
            job_file = Path(scratch) / "job.json"
            job_file.write_text(json.dumps(visit.job(), allow_nan=False))
            for done, (name, path) in enumerate({**visit.files, "job.json": job_file}.items()):
                on_event({"event": "stage", "name": "sending", "done": done, "total": len(visit.files) + 1})
                self._link.put(path, f"{folder}/{name}", deadline=visit.deadline)

    def _follow(self, visit: Visit, receiver: Receiver, on_event: Listener) -> None:
        """Start the run and take in all that comes of it, over as many links as that needs."""
        is_started = False
        while not receiver.is_whole:
            try:
                if not is_started:
                    self._ask(["start", self._path(visit.folder)], "started", deadline=visit.deadline)
                    is_started = True
                self._attach(visit, receiver)
            except JobError as error:
                if error.code != "board:link-lost" or self._reconnect is None:
                    raise
                self._come_back(visit, receiver, on_event, error)

    def _attach(self, visit: Visit, receiver: Receiver) -> None:
        verb = ("attach", self._path(visit.folder), str(receiver.entry), str(receiver.offset))
        command = self._brought(visit.deadline).command(self._workdir, *verb)
        with self._link.converse(command, deadline=visit.deadline, silence_s=self._silence_s) as talk:
            receiver.hear(talk)
            if receiver.is_whole:
                return
            done = talk.completed()
        if receiver.reason_gone is not None:
            raise board_failure("board:agent-died", f"the run ended without a result. {receiver.reason_gone}")
        if done.status == protocol.EXIT_STALE_FENCE:
            raise _taken_by_newer()
        if done.status is None:  # something on the board ended it, not the run
            raise board_failure("board:link-lost", "the agent was ended while it sent")
        if done.status == 0:
            raise answer.bad("the agent ended without the run's end")
        raise cannot_start(done)

    def _come_back(self, visit: Visit, receiver: Receiver, on_event: Listener, lost: JobError) -> None:
        """Connect anew, again and again. Raises `lost` when nothing arrived for too long, "board:rebooted"."""
        pause = 0.1
        while True:
            where = f"{lost.detail}; entry {receiver.entry}, byte {receiver.offset}"
            on_event({"event": "log", "text": f"The link broke ({where}). It is made anew.\n"})
            if time.monotonic() + pause > visit.deadline:
                raise board_failure(
                    "board:timed-out", f"the link was away at the deadline: {where}"
                ) from lost
            if time.monotonic() + pause > receiver.moved_at + self._resume_s:
                raise lost
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
            try:
                self._connect()
                board = self.hello(deadline_s=min(SETUP_S, max(1.0, visit.deadline - time.monotonic())))
                break
            except JobError as error:
                if error.code not in {"board:unreachable", "board:link-lost", "board:timed-out"}:
                    raise
        if board.boot_id != visit.boot_id:
            raise board_failure("board:rebooted", "it started anew while the run was under way")
        if board.fence > visit.fence:
            raise _taken_by_newer()

    def _connect(self) -> None:
        assert self._reconnect is not None
        self.close()
        self._link = self._own_link = self._reconnect()
        self._agent = None  # a board that started anew may have lost it

    def _brought(self, deadline: float) -> Agent:
        """The agent on this board; it is looked for once a session."""
        if self._agent is None:
            self._agent = bring(
                self._link, self._workdir, wanted=self._wanted, c_agents=self._c_agents, deadline=deadline
            )
        return self._agent

    def _brought_name(self) -> str:
        return self._agent.name if self._agent else ""

    def _info(self, said: Event) -> BoardInfo:
        return answer.board_info(said, self._brought_name())

    def _path(self, name: str) -> str:
        return f"{self._workdir}/{name}"

    def _ask(self, verb: list[str], wanted: str, *, deadline: float, on_event: Listener = nobody) -> Event:
        """Run one verb of the agent and return its event `wanted`."""
        heard = Hearing(wanted, on_event)
        done = self._link.run(
            self._brought(deadline).command(self._workdir, *verb),
            deadline=deadline,
            on_line=heard.line,
            silence_s=self._silence_s,
        )
        if done.status == protocol.EXIT_STALE_FENCE:
            raise _taken_by_newer()
        if done.status != 0:
            raise cannot_start(done)
        if heard.answer is None:
            raise answer.bad(f"the agent ended without its answer to {verb[0]}")
        return heard.answer

    def _sweep(self, visit: Visit, is_done: bool) -> None:
        """Leave nothing behind; the next fence does it where this cannot.

        A run that is not done is still at work: its fence is what ends it.
        """
        deadline = time.monotonic() + TIDY_S
        with contextlib.suppress(JobError, LeaseLost):
            if is_done:
                self._link.run(scripts.shell(scripts.REMOVE, self._path(visit.folder)), deadline=deadline)
            else:
                self._ask(["clean", str(visit.fence)], "clean", deadline=deadline)


def _taken_by_newer() -> LeaseLost:
    return LeaseLost("the board has been taken with a newer fence")
