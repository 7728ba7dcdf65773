"""What the agent can be asked for, each a few lines: the exit status is 0 when the verb was done."""

import fcntl
import os
import platform
import signal
import sys

from boardagent import (
    compression,
    detach,
    fences,
    inference,
    jobfile,
    journal,
    npu,
    probing,
    protocol,
    streaming,
    sysinfo,
)
from boardagent.channel import Channel
from boardagent.peer import Gone

USAGE = "usage: hello | probe | clean FENCE | start FOLDER | attach FOLDER ENTRY OFFSET\n"


def do(arguments):
    """Do the verb named by the arguments and return the exit status."""
    verb, rest = (arguments or [""])[0], arguments[1:]
    known = VERBS.get((verb, len(rest)))
    if known is None:
        sys.stderr.write(USAGE)
        return protocol.EXIT_USAGE
    root, channel = work_folder(), Channel.take_stdout()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _leave)  # so that `finally` ends the child's group
    try:
        return known(root, channel, *rest) or 0
    except fences.StaleFence as stale:
        channel.send("refused", reason="stale-fence", text=str(stale))
        return protocol.EXIT_STALE_FENCE
    except (OSError, ValueError) as error:
        sys.stderr.write("{}: {}\n".format(type(error).__name__, error))
        return protocol.EXIT_FAILED


def _leave(number, _):
    raise SystemExit(128 + number)


def work_folder():
    """Where fences, locks and runs live: next to the zipapp."""
    given = os.environ.get("LAYERWISE_ROOT")
    return os.path.abspath(given or os.path.dirname(os.path.abspath(sys.argv[0])))


def hello(root, channel):
    """Say what this board is and has."""
    channel.send("hello", **about(root))


def about(root):
    """The facts a worker wants before it sends work."""
    return {
        "version": protocol.VERSION,
        "agent": "python",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "modules": sorted(set(protocol.NEEDED_MODULES) & set(sys.modules)),
        "disk_free_bytes": sysinfo.free_bytes(root),
        "mem_available_kb": sysinfo.memory_kb("MemAvailable"),
        "boot_id": sysinfo.text_of("/proc/sys/kernel/random/boot_id"),
        "npus": npu.kinds_here(),
        "fence": fences.newest(root),
        "compressions": compression.METHODS,
    }


def probe(root, channel):
    """Try each kind of NPU and tell every step."""
    for kind, name, is_ok, text in probing.steps(root):
        channel.send("step", npu=kind, name=name, ok=is_ok, text=protocol.plain(text)[-2000:])
    channel.send("probe", **about(root))


def clean(root, channel, fence):
    """Take the board for `fence`: end and remove what that fence and older ones left here."""
    fence = int(fence) if fence.isdigit() else -1
    fences.advance(root, fence)
    ended = fences.end_leftovers(root, fence)
    channel.send("clean", ended=ended[:100], removed=fences.remove_runs(root, fence)[:100], hello=about(root))


def start(root, channel, folder):
    """Start the run in `folder` and return; asked again it only says so."""
    folder = os.path.abspath(folder)
    job = jobfile.read(folder)  # here, where the worker hears why it is none
    fences.advance(root, job["fence"])
    with open(os.path.join(folder, "starting"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(folder, journal.NAME)):
            detach.launch(lambda ready: inference.run(root, folder, ready), folder)
    channel.send("started", run=str(job.get("run", "")))


def attach(root, channel, folder, entry, offset):
    """Stream the run's journal and files until its end."""
    folder = os.path.abspath(folder)
    if not (entry.isdigit() and offset.isdigit()):
        raise protocol.BadMessage("ENTRY and OFFSET are numbers from 0 on")
    fences.record(folder, os.getpid())
    try:
        streaming.stream(folder, int(entry), int(offset), channel.descriptor, 0)
    except streaming.NoEnd as reason:
        fence = jobfile.read(folder)["fence"]
        if fences.newest(root) > fence:
            raise fences.StaleFence("fence {} is not the newest here".format(fence)) from reason
        channel.send("gone", text=protocol.plain(str(reason))[-2000:])
        return protocol.EXIT_FAILED
    except Gone:
        return protocol.EXIT_FAILED
    return 0


VERBS = {
    ("hello", 0): hello,
    ("probe", 0): probe,
    ("clean", 1): clean,
    ("start", 1): start,
    ("attach", 3): attach,
}
