"""What the agent can be asked for, each a few lines: the exit status is 0 when the verb was done."""

import hashlib
import os
import platform
import signal
import sys

from boardagent import fences, inference, npu, protocol, sysinfo
from boardagent.channel import Channel

USAGE = "usage: hello | run FOLDER | clean FENCE\n"


def do(arguments):
    """Do the verb named by the arguments and return the exit status."""
    verb, rest = (arguments or [""])[0], arguments[1:]
    known = {("hello", 0): hello, ("run", 1): run, ("clean", 1): clean}.get((verb, len(rest)))
    if known is None:
        sys.stderr.write(USAGE)
        return 2
    root, channel = work_folder(), Channel.take_stdout()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _leave)  # so that `finally` ends the child's group
    try:
        known(root, channel, *rest)
    except fences.StaleFence as stale:
        channel.send("refused", reason="stale-fence", text=str(stale))
        return protocol.EXIT_STALE_FENCE
    except (OSError, protocol.BadMessage) as error:
        sys.stderr.write("{}: {}\n".format(type(error).__name__, error))
        return protocol.EXIT_FAILED
    return 0


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
        "python": platform.python_version(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "modules": sorted(set(protocol.NEEDED_MODULES) & set(sys.modules)),
        "disk_free_bytes": sysinfo.free_bytes(root),
        "mem_available_kb": sysinfo.memory_kb("MemAvailable"),
        "boot_id": sysinfo.text_of("/proc/sys/kernel/random/boot_id"),
        "npus": npu.kinds_here(),
        "fence": fences.newest(root),
    }


def run(root, channel, folder):
    """Do the job in `folder`, a run folder; asked again, a finished run gives the same answer."""
    folder = os.path.abspath(folder)
    result = os.path.join(folder, "result.json")
    if not os.path.exists(result):
        inference.run(root, folder, channel)
    with open(result, "rb") as file:
        data = file.read()
    channel.send("end", result={"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})


def clean(root, channel, fence):
    """Take the board for `fence`: end and remove what that fence and older ones left here."""
    fence = int(fence) if fence.isdigit() else -1
    fences.advance(root, fence)
    ended = fences.end_leftovers(root, fence)
    channel.send("clean", ended=ended[:100], removed=fences.remove_runs(root, fence)[:100], hello=about(root))
