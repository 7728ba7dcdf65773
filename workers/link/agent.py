"""Which of the two agents serves a board, and how it gets there: once, under the name of its hash."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from boardagent import protocol
from workers.errors import JobError
from workers.link import scripts
from workers.link.base import Completed, Link, board_failure, is_full_disk
from workers.link.bundle import Bundle, agent_bundle, c_agent

NO_PROGRAM = {126, 127}
ANSWER_S = 20.0  # each command here looks at something small; a board that needs longer stands still


@dataclass(frozen=True)
class Agent:
    """An agent that lies on the board: `kind` is "python" or "c", `name` its file in the work folder."""

    kind: str
    name: str

    def command(self, workdir: str, *verb: str) -> list[str]:
        """The argument list that asks it for a verb."""
        starter = ["python3", "-I"] if self.kind == "python" else []
        return [*starter, f"{workdir}/{self.name}", *verb]


def bring(link: Link, workdir: str, *, wanted: str, c_agents: Path | None, deadline: float) -> Agent:
    """Bring the wanted agent unless it is there; without a usable Python, the C agent if the site has one.

    Raises "board:no-python" when neither can serve, "board:disk-full".
    """
    lacking = "the C agent is wanted"
    if wanted == "python":
        bundle = agent_bundle()
        prepare = scripts.shell(scripts.PREPARE, workdir, bundle.name, _imports())
        done = link.run(prepare, deadline=deadline, silence_s=ANSWER_S)
        if done.status == scripts.ABSENT:
            _send(link, bundle, workdir, deadline)
        if done.status in {0, scripts.ABSENT}:
            return Agent("python", bundle.name)
        if done.status != scripts.UNUSABLE_PYTHON:
            raise cannot_start(done)
        lacking = (done.complaint.splitlines() or ["no usable python3"])[-1]
    return _bring_c(link, workdir, c_agents, lacking, deadline)


def _imports() -> str:
    return scripts.USABLE_PYTHON.format(", ".join(protocol.NEEDED_MODULES))


def _bring_c(link: Link, workdir: str, c_agents: Path | None, lacking: str, deadline: float) -> Agent:
    """`lacking` is why Python cannot serve, in the board's own words."""
    done = link.run(scripts.shell(scripts.MACHINE, workdir), deadline=deadline, silence_s=ANSWER_S)
    if done.status != 0:
        raise cannot_start(done)
    machine = done.stdout_tail.decode(errors="replace").strip()[:30]
    bundle = c_agent(c_agents, machine)
    if bundle is None:
        raise board_failure(
            "board:no-python",
            f"{lacking}; and the site has no C agent for {machine!r}",
        )
    there = f"{workdir}/{bundle.name}"
    if link.run(scripts.shell(scripts.PRESENT, there), deadline=deadline, silence_s=ANSWER_S).status != 0:
        _send(link, bundle, workdir, deadline)
        done = link.run(scripts.shell(scripts.MAKE_EXECUTABLE, there), deadline=deadline, silence_s=ANSWER_S)
        if done.status != 0:
            raise cannot_start(done)
    return Agent("c", bundle.name)


def _send(link: Link, bundle: Bundle, workdir: str, deadline: float) -> None:
    with TemporaryDirectory() as folder:
        local = Path(folder) / bundle.name
        local.write_bytes(bundle.data)
        link.put(local, f"{workdir}/{bundle.name}", deadline=deadline)


def cannot_start(done: Completed) -> JobError:
    """Why a command of ours failed on the board, by its exit status and its words."""
    if done.status in {protocol.EXIT_UNUSABLE_PYTHON, *NO_PROGRAM}:
        return board_failure("board:no-python", done.complaint or "there is no python3 on the board's PATH")
    if is_full_disk(done.complaint):
        return board_failure("board:disk-full", done.complaint)
    how = "a signal" if done.status is None else f"status {done.status}"
    return board_failure("board:agent-died", f"ended with {how}. {done.complaint}")
