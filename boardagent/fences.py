"""One holder per board: the newest fence wins, older ones are refused, and what they left running is ended.

In the work folder: `fence` (the newest number seen), `fence.lock` (held while it moves), `agent.lock` (held
during a run), and a folder run-<fence> for each run with `pids` in it: a line "pid start-time boot-id" for each
process that it started.
"""

import fcntl
import os
import re
import shutil
import signal
import time
from contextlib import contextmanager

from boardagent import clocks
from boardagent.sysinfo import text_of

BOOT_ID = "/proc/sys/kernel/random/boot_id"
RUN_FOLDER = re.compile(r"^run-([0-9]{1,18})$")


class StaleFence(Exception):
    """A newer fence has been seen here: the caller lost the board."""


def advance(root, fence):
    """Remember `fence` as the newest. StaleFence when a newer one is known."""
    with _locked(os.path.join(root, "fence.lock")):
        known = newest(root)
        if fence < known:
            raise StaleFence("fence {} is older than {}".format(fence, known))
        part = os.path.join(root, "fence.part")
        with open(part, "w") as file:
            file.write(str(fence))
        os.replace(part, os.path.join(root, "fence"))


def newest(root):
    """The newest fence seen here, 0 when there was none."""
    try:
        with open(os.path.join(root, "fence")) as file:
            return int(file.read(32))
    except (OSError, ValueError):
        return 0


def runs(root, up_to):
    """(fence, folder) of each run folder whose fence is at most `up_to`."""
    found = [(RUN_FOLDER.match(name), name) for name in os.listdir(root)]
    numbered = [(int(match.group(1)), os.path.join(root, name)) for match, name in found if match]
    return sorted(pair for pair in numbered if pair[0] <= up_to)


def end_leftovers(root, up_to):
    """Kill what runs with a fence of at most `up_to` still have running; the pids that were ended.

    Clocks that such a run held are let go.
    """
    ended = []
    for _, folder in runs(root, up_to):
        for pid, started in _recorded(folder):
            for victim in _members(pid, started):
                _kill(victim)
                ended.append(victim)
    clocks.restore(root)
    return ended


def remove_runs(root, up_to):
    """Delete the folders of runs with a fence of at most `up_to`; their names."""
    removed = [folder for _, folder in runs(root, up_to)]
    for folder in removed:
        shutil.rmtree(folder, ignore_errors=True)
    return [os.path.basename(folder) for folder in removed]


def record(folder, pid):
    """Note that the run in `folder` started process `pid` (leader of its own group)."""
    with open(os.path.join(folder, "pids"), "a") as file:
        file.write("{} {} {}\n".format(pid, start_time(pid), text_of(BOOT_ID)))


def start_time(pid):
    """When a process started, in ticks since boot: pid and this name it for good. None: it is gone."""
    fields = _stat(pid)
    return fields[19] if fields else None


def _stat(pid):
    """The fields of /proc/<pid>/stat from the state on; None when the process is gone or a zombie."""
    try:
        with open("/proc/{}/stat".format(pid)) as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields


@contextmanager
def one_run(root, patience_s=5.0):
    """Hold the board's only place. TimeoutError when somebody else holds it for longer than `patience_s`."""
    with open(os.path.join(root, "agent.lock"), "a") as file:
        until = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > until:
                    raise TimeoutError("another run holds this board") from None
                time.sleep(0.05)
        yield


@contextmanager
def _locked(path):
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _recorded(folder):
    """(pid, start time) of each process noted since this boot, children before the agent that started them."""
    try:
        with open(os.path.join(folder, "pids")) as file:
            notes = [line.split() for line in file]
    except OSError:
        return []
    here = text_of(BOOT_ID)
    known = [note for note in notes if len(note) == 3 and note[0].isdigit() and note[2] == here]
    return [(int(note[0]), note[1]) for note in reversed(known)]


def _members(pid, started):
    """Who is left of a noted process and its session; a session outlives its leader, and keeps its number taken."""
    now = start_time(pid)
    if now not in (None, started):
        return []  # the number belongs to somebody else by now
    everybody = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    of_session = [one for one in everybody if (_stat(one) or [None] * 4)[3] == str(pid)]
    return [one for one in set(of_session + [pid] * (now is not None)) if one != os.getpid()]


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
