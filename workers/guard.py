"""The small process between a worker and a program it does not trust (run as a script, standard library
only).

The worker starts one guard per job (see workers/child.py). The guard puts limits on the program, starts it,
watches its memory and its number of processes, and guarantees that nothing the program started outlives the
job: not after a normal end, not when the worker is killed, and, where the kernel allows namespaces, not even
when the guard itself is killed.

    worker --(stdin: held open; "term", "kill")--> guard --> [init of a process-id namespace] --> program
    worker <-(status channel: one JSON line)------ guard

Why a process of its own and no preexec_fn: a worker has threads, and code between fork and exec in a
threaded process may deadlock; and PR_SET_PDEATHSIG in a worker would fire when the starting *thread* ends.
"""

import contextlib
import ctypes
import errno
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x08000000, 0x10000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 22, 36, 38
SECCOMP_MODE_FILTER = 2  # linux/seccomp.h
ALLOW, REFUSE = 0x7FFF0000, 0x00050000  # the latter with an errno
LOAD, IF_EQUAL, IF_AT_LEAST, ANSWER = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h
# name of the architecture to the kernel's filters, number of socket(2)
SOCKETS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
IO_URING_SETUP = 425  # would make sockets past the filter
OTHER_ABI = 0x40000000  # x32 numbers its calls from here
TICK = 0.2
PAGE = os.sysconf("SC_PAGE_SIZE")
libc = ctypes.CDLL(None, use_errno=True)


def enter_namespaces() -> bool:
    """Move to a user, network, IPC and (for what is forked next) process-id namespace of our own; say
    whether that worked.

    The network namespace holds nothing but a loopback that is down: no network.
    """
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC) != 0:
        return False
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    except OSError:
        return True  # Isolated all the same; only file ownership looks odd from inside.
    return True


def descendants(root: int) -> list[int]:
    """Process ids of everything below `root`. Orphans below a subreaper stay below it, so nobody escapes by
    forking twice."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 -- called five times a second: no Path objects
        if entry.isdigit():
            parent = _parent_of(entry)
            children.setdefault(parent, []).append(int(entry))
    found: list[int] = []
    pending = [root]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


def _parent_of(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return -1


def resident_bytes(pids: list[int]) -> int:
    """Resident memory of `pids` together; shared pages are counted once for each."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123
                total += int(file.read().split()[1]) * PAGE
        except (OSError, ValueError, IndexError):
            continue
    return total


def kill_all(root: int, seconds: float = 5.0) -> None:
    """Kill everything below `root` and reap it. Repeats, because a process may fork while the list is
    read."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for pid in descendants(root):
            _signal(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(OSError):  # It may just have ended, which is what we wanted.
        os.kill(pid, number)


def limit(settings: dict[str, Any]) -> None:
    """Put this process, and so the program it becomes, under limits that cannot be raised again."""
    mega = 1 << 20
    # Address space is a net under the memory watch, not the limit itself: numeric libraries reserve far more
    # than they use.
    bounds = {
        resource.RLIMIT_AS: 2 * settings["memory_mb"] * mega + 2048 * mega,
        resource.RLIMIT_FSIZE: settings["file_mb"] * mega,
        resource.RLIMIT_CPU: settings["cpu_seconds"] + 1,
        resource.RLIMIT_NOFILE: 1024,
        resource.RLIMIT_CORE: 0,
    }
    for which, value in bounds.items():
        _, hard = resource.getrlimit(which)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # Above the soft limit on time comes a signal that has a name; the hard one, a second later, is plain SIGKILL.
        soft = max(allowed - 1, 1) if which == resource.RLIMIT_CPU else allowed
        resource.setrlimit(which, (soft, allowed))
    os.nice(5)
    with contextlib.suppress(OSError):
        # When the machine runs dry, this goes before Redis or the site.
        Path("/proc/self/oom_score_adj").write_text("500")
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def deny_sockets() -> bool:
    """Let this process, and what it becomes, open no sockets but local ones; say whether that worked.

    For machines that allow no namespaces, Docker's default among them. Needs PR_SET_NO_NEW_PRIVS.
    """
    if os.uname().machine not in SOCKETS:
        return False
    architecture, number = SOCKETS[os.uname().machine]
    program = [  # operation, jump if so, jump if not, operand; offsets are those of struct seccomp_data
        (LOAD, 0, 0, 4),
        (IF_EQUAL, 0, 8, architecture),
        (LOAD, 0, 0, 0),
        (IF_AT_LEAST, 6, 0, OTHER_ABI),
        (IF_EQUAL, 5, 0, IO_URING_SETUP),
        (IF_EQUAL, 0, 3, number),
        (LOAD, 0, 0, 16),
        (IF_EQUAL, 1, 0, socket.AF_UNIX),
        (ANSWER, 0, 0, REFUSE | errno.ENETUNREACH),
        (ANSWER, 0, 0, ALLOW),
        (ANSWER, 0, 0, REFUSE | errno.ENOSYS),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    filters = struct.pack("@HP", len(program), ctypes.addressof(code))
    return bool(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filters, 0, 0) == 0)


def become(argv: list[str], settings: dict[str, Any]) -> NoReturn:
    """Turn the forked process into the program; status 127 when there is no such program."""
    try:
        os.setsid()
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        limit(settings)
        if settings["offline"] and not settings["namespaces"] and not deny_sockets():
            os.write(2, b"[this machine allows neither namespaces nor call filters: the network is open]\n")
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.closerange(3, 256)
        os.execvpe(argv[0], argv, dict(os.environ))  # noqa: S606 -- a list, no shell
    except OSError as error:
        os.write(2, f"cannot start {argv[0]}: {error}\n".encode())
    os._exit(127)


def as_init(argv: list[str], settings: dict[str, Any], report: int) -> NoReturn:
    """Be process 1 of the namespace: start the program, reap, pass its status on. When 1 ends, the kernel
    kills the rest."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    program = os.fork()
    if program == 0:
        become(argv, settings)
    while True:
        pid, status = os.wait()
        if pid == program:
            os.write(report, status.to_bytes(4, "little"))
            os._exit(0)


class Watch:
    """The guard's loop: commands from the worker, the program's end, memory and number of processes."""

    def __init__(self, settings: dict[str, Any], ended: int, child: int) -> None:
        self.settings = settings
        self.ended = ended
        self.child = child
        self.me = os.getpid()
        self.parent = os.getppid()
        self.reason = "exited"

    def wait(self) -> tuple[int, str]:
        """Wait for the program's end or a reason to end it; its wait status (-1 unknown) and the reason."""
        while True:
            ready, _, _ = select.select([0, self.ended], [], [], TICK)
            if self.ended in ready:
                data = os.read(self.ended, 4)
                return (int.from_bytes(data, "little") if len(data) == 4 else -1), self.reason
            if (0 in ready and not self._obey(os.read(0, 64))) or os.getppid() != self.parent:
                return -1, "abandoned"  # The worker is gone, or wants it dead.
            if self._over_limit():
                return -1, self.reason

    def _obey(self, command: bytes) -> bool:
        if not command or b"kill" in command:
            return False
        for pid in descendants(self.me):
            if (
                pid != self.child or not self.settings["namespaces"]
            ):  # Init has no handler and must outlive the program.
                _signal(pid, signal.SIGTERM)
        return True

    def _over_limit(self) -> bool:
        pids = descendants(self.me)
        if len(pids) > self.settings["processes"] + 1:
            self.reason = "processes"
        elif resident_bytes(pids) > self.settings["memory_mb"] << 20:
            self.reason = "memory"
        return self.reason != "exited"


def main(config: str) -> None:
    """Run the program of `config` (JSON: argv, limits, status channel) and report {"status", "reason",
    "namespaces"}."""
    settings = json.loads(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(
            number, signal.SIG_IGN
        )  # The worker's stop comes by the pipe; a terminal's Ctrl-C is the worker's affair.
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    settings["namespaces"] = settings["namespaces"] and enter_namespaces()
    ended, report = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ended)
        if settings["namespaces"]:
            as_init(settings["argv"], settings, report)
        become(settings["argv"], settings)
    if settings["namespaces"]:
        os.close(report)
        status, reason = Watch(settings, ended, child).wait()
    else:
        status, reason = _wait_for_plain_child(settings, ended, report, child)
    kill_all(os.getpid())
    line = json.dumps({"status": status, "reason": reason, "namespaces": settings["namespaces"]})
    with contextlib.suppress(OSError):  # Nobody may listen any more.
        os.write(settings["status_fd"], line.encode() + b"\n")


def _wait_for_plain_child(settings: dict[str, Any], ended: int, report: int, child: int) -> tuple[int, str]:
    """Without namespaces the program is our own child; SIGCHLD wakes the same loop as init's report does."""

    def reap(*_: object) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == child:
                os.write(report, status.to_bytes(4, "little"))

    signal.signal(signal.SIGCHLD, reap)
    reap()  # It may have ended before the handler was there.
    outcome = Watch(settings, ended, child).wait()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return outcome


if __name__ == "__main__":
    main(sys.argv[1])
