"""Look at a board step by step, each step shown as it happens: the first necessary one that fails ends the probe."""

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import ip_address

from django.conf import settings

from boardagent import protocol
from dashboard.boards import keys
from dashboard.boards.models import AgentKind, Board
from dashboard.registration.models import Probe, Registration
from dashboard.registration.services import keep_look, keep_probe
from dashboard.registration.steps import Step, StepState
from workers.errors import Final, JobError, LeaseLost
from workers.lease import Lease
from workers.lifecycle import Keep
from workers.link import scripts, sockets
from workers.link.base import board_failure
from workers.link.hearing import Event
from workers.link.results import BoardInfo
from workers.link.session import BoardSession
from workers.link.ssh import SshLink, SshTarget, check_host_key, connect, scan_host_key
from workers.steps.run import private_key
from workers.steps.visit import WORK_FOLDER
from workers.whereabouts import whereabouts

REACH_S, COMMAND_S, NPU_S = 10.0, 20.0, 60.0  # deadlines of single steps
LEAST_DISK, LEAST_MEMORY_KB = 32_000_000, 16_000
CLOCK_OFF_S = 120
MOST_EVENTS = 100
PROGRAMS = ("sh", "mkdir", "rm", "test", "cat", "wc", "sha256sum", "mv")
WITHOUT_SFTP = {"cat", "wc", "sha256sum", "mv"}
Say = Callable[[str], None]


def probe(probe: Probe, lease: Lease) -> Keep:
    """Do every step of the plan; what was found is stored at once, what follows from it when the probe ends."""
    report = Report(probe, lease)
    try:
        if probe.registration:
            return look(probe.registration, report)
        assert probe.board is not None
        return visit(probe.board, report)
    except JobError as error:  # the details are in the steps, which only admins read
        raise Final(error.code, f"Step: {report.last.title}.") from error


class Report:
    """What a probe found, written down step by step."""

    def __init__(self, probe: Probe, lease: Lease) -> None:
        self.probe = probe
        self._lease = lease
        self._steps: list[Step] = []
        self._write()

    @property
    def last(self) -> Step:
        return self._steps[-1] if self._steps else Step(self.probe.plan[0], StepState.WAITING)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Say]:
        """One step: what it says is shown when it ends. A failure is noted and goes on upwards."""
        words: list[str] = []
        self._lease.check()
        self._lease.stage(name, len(self._steps), len(self.probe.plan))
        self._steps.append(Step(name, StepState.RUNNING))
        self._write()
        try:
            yield words.append
        except JobError as error:
            self._end(Step(name, StepState.FAILED, " ".join(words), error.code, error.detail))
            raise
        self._end(Step(name, StepState.OK, " ".join(words)))

    def _end(self, step: Step) -> None:
        self._steps[-1] = step
        self._write()

    def note(self, **found: str) -> None:
        """Keep what is more than a step's words. Raises LeaseLost."""
        if not self.probe.note(self._lease.fence, **found):
            raise LeaseLost

    def _write(self) -> None:
        if not self.probe.note(self._lease.fence, steps=[step.as_dict() for step in self._steps]):
            raise LeaseLost


def look(registration: Registration, report: Report) -> Keep:
    """The address and the host key behind it: nobody logs in before somebody has confirmed the key."""
    number = reach(registration.address, registration.port, report)
    with report.step("host-key") as say:
        key = scan_host_key(number, registration.port)
        report.note(host_key=key)
        say(f"{key.split()[0]} {keys.fingerprint(key)}")
    return partial(keep_look, report.probe)


def visit(board: Board, report: Report) -> Keep:
    """Everything that a run needs of a board, from the wire to the NPU."""
    target = SshTarget(reach(board.address, board.port, report), board.port, board.username, board.host_key)
    agree_on_host_key(target, report)
    with report.step("log-in") as say:
        link = connect(target, private_key(board))
        with given_back_on_failure(link):
            say(who(link, report))
    with link, own_folder(link, board.work_folder or WORK_FOLDER, report) as folder:
        session = BoardSession(link, folder, c_agents=settings.C_AGENTS)
        with report.step("python") as say:
            bring_agent(session, link, say)
        with report.step("npu") as say:
            info, version = try_npus(session, board, say)
        with report.step("room") as say:
            check_room(info, say)
        with contextlib.suppress(JobError), report.step("clock") as say:
            check_clock(link, say)
    return partial(keep_probe, report.probe, version, AgentKind(info.kind))


def reach(address: str, port: int, report: Report) -> str:
    """The number behind the address, where an SSH server answers."""
    with report.step("reach") as say:
        number = whereabouts(address, port)
        words, own = sockets.greeting(number, port, timeout_s=REACH_S)
        report.note(seen_from=own)
        say(f"{number} port {port} answers: {words}")
    return number


def agree_on_host_key(target: SshTarget, report: Report) -> None:
    """The server has the pinned key. When it shows another one, that is kept, for an admin to compare."""
    with report.step("host-key") as say:
        try:
            check_host_key(target)
        except JobError as error:
            if error.code != "board:host-key-changed":
                raise
            shown = scan_host_key(target.host, target.port)
            report.note(host_key=shown)
            pinned = keys.fingerprint(target.host_key)
            both = f"pinned is {pinned}, shown is {keys.fingerprint(shown)} ({shown.split()[0]})"
            raise board_failure(error.code, both) from error
        report.note(host_key=target.host_key)
        say(f"{target.host_key.split()[0]} {keys.fingerprint(target.host_key)}, as pinned")


@contextlib.contextmanager
def given_back_on_failure(link: SshLink) -> Iterator[None]:
    """Gives the link back when what is done with it fails before its own `with` begins."""
    try:
        yield
    except BaseException:
        link.close()
        raise


def who(link: SshLink, report: Report) -> str:
    """Whom we are on the board; from which address it sees us is kept."""
    done = link.run(scripts.shell(scripts.WHO), deadline=soon())
    number, name, seen_from = [*lines_of(done.stdout_tail), "", "", ""][:3]
    with contextlib.suppress(ValueError):
        report.note(seen_from=str(ip_address(seen_from)))
    root = " Root works, an account of its own is safer." if number == "0" else ""
    return f"The key is accepted; user {name or 'unknown'}, number {number or 'unknown'}.{root}"


@contextlib.contextmanager
def own_folder(link: SshLink, work_folder: str, report: Report) -> Iterator[str]:
    """The userland step, and a folder of the probe's own in the work folder; nothing of it is left behind."""
    name = f"probe-{report.probe.pk}"
    with report.step("userland") as say:
        check_programs(link, say)
        made = link.run(scripts.shell(scripts.PROBE_FOLDER, work_folder, name), deadline=soon())
        if made.status != 0:
            raise board_failure("board:disk-full", f"{work_folder} cannot be written: {made.complaint}")
    is_new = "new" if b"made" in made.stdout_tail else ""
    try:
        yield f"{work_folder}/{name}"
    finally:
        with contextlib.suppress(JobError):
            link.run(scripts.shell(scripts.LEAVE_NOTHING, work_folder, name, is_new), deadline=soon())


def check_programs(link: SshLink, say: Say) -> None:
    """Raises "board:no-programs" when neither the shell's way nor SFTP can bring files."""
    done = link.run(scripts.shell(scripts.USERLAND, *PROGRAMS), deadline=soon())
    words = lines_of(done.stdout_tail)
    missing = {line.split()[1] for line in words if line.startswith("missing ") and len(line.split()) == 2}
    has_sftp = link.has_sftp(deadline=soon())
    if done.status != 0 or missing - WITHOUT_SFTP or (missing and not has_sftp):
        raise board_failure("board:no-programs", f"missing: {', '.join(sorted(missing)) or done.complaint}")
    lacks = f" Without {', '.join(sorted(missing))}: files go by SFTP, which is slower." if missing else ""
    say(f"{words[0] if words else 'unknown system'}; SFTP: {'yes' if has_sftp else 'no, not needed'}.{lacks}")


def bring_agent(session: BoardSession, link: SshLink, say: Say) -> None:
    """Python with all that the agent needs, else the agent in C. Raises "board:no-python" when neither can serve."""
    asked = scripts.shell(scripts.PYTHON, scripts.MODULES, *protocol.NEEDED_MODULES)
    done = link.run(asked, deadline=soon())
    words = lines_of(done.stdout_tail)
    if done.status == 0 and words:
        missing = [line.removeprefix("missing ") for line in words[1:] if line.startswith("missing ")]
        say(f"Python {words[0]} {'without ' + ', '.join(missing) if missing else 'with all modules'};")
    else:
        say("no usable python3;")
    say(f"the agent is {session.deploy(deadline_s=NPU_S)}.")


def try_npus(session: BoardSession, board: Board, say: Say) -> tuple[BoardInfo, str]:
    """Let the agent load each NPU library in a throw-away child; what the board is, and its library's version.

    Raises "board:npu-unavailable" unless the kind that the board is registered with was found and loads.
    """
    told: list[Event] = []
    info = session.probe(
        lambda event: told.append(event) if len(told) < MOST_EVENTS else None, deadline_s=NPU_S
    )
    mine = [event for event in told if event.get("event") == "step" and event["npu"] == board.npu]
    failed = next((event for event in mine if not event["ok"]), None)
    if board.npu not in info.npus:
        raise board_failure(
            "board:npu-unavailable", f"wanted is {board.npu}, found: {', '.join(info.npus) or 'none'}"
        )
    if failed:
        raise board_failure("board:npu-unavailable", f"{board.npu}, {failed['name']}: {failed['text']}")
    version = next((event["text"] for event in mine if event["name"] == "version"), "")[:80]
    say(f"{board.npu} {version or '(version unknown)'}; {info.machine}, kernel {info.kernel}.")
    return info, version


def check_room(info: BoardInfo, say: Say) -> None:
    """Raises "board:disk-full" or "board:no-memory" when hardly any model would fit."""
    disk, memory = info.disk_free_bytes, info.mem_available_kb
    say(f"{disk / 1e6:.0f} MB of disk in the work folder,")
    say("memory unknown." if memory is None else f"{memory / 1000:.0f} MB of memory.")
    if disk < LEAST_DISK:
        raise board_failure("board:disk-full", f"{disk} bytes are free, at least {LEAST_DISK} are needed")
    if memory is not None and memory < LEAST_MEMORY_KB:
        raise board_failure("board:no-memory", f"{memory} KB are available")


def check_clock(link: SshLink, say: Say) -> None:
    """Raises "board:clock-wrong" when the board's clock is off by more than two minutes."""
    before = time.time()
    said = lines_of(link.run(scripts.shell(scripts.CLOCK), deadline=soon()).stdout_tail)
    off = int(said[0]) + 0.5 - (before + time.time()) / 2 if said and said[0].isdigit() else None
    if off is None:
        raise board_failure("board:clock-wrong", "date +%s gives no number")
    if abs(off) > CLOCK_OFF_S:
        raise board_failure("board:clock-wrong", f"{off:+.0f} s off the worker's clock")
    say(f"{round(off):+d} s off the worker's clock.")


def lines_of(output: bytes) -> list[str]:
    """What a command wrote, line by line; nothing of it is believed to be more than text."""
    text = protocol.plain(output.decode("utf-8", "replace"))
    return [line.strip()[:200] for line in text.splitlines()][:50]


def soon() -> float:
    """The deadline of one command."""
    return time.monotonic() + COMMAND_S
