"""A run goes on when the command that started it has ended: a session of its own, no tie to the link."""

import os
import signal
import sys
import traceback

LOG = "agent.log"


def launch(act, folder):
    """Call `act(ready)` in a process of its own, its output in `folder`/agent.log; return when it called `ready()`.

    Raises OSError when it ended before that.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os._exit(_live(act, folder, writing))
    os.close(writing)
    with os.fdopen(reading, "rb") as end:
        if end.read(1) != b"1":
            os.waitpid(pid, 0)
            raise OSError("the run does not start; {} says why".format(LOG))


def _live(act, folder, writing):
    """The new process, from its first breath to its exit status."""
    try:
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        _redirect(os.path.join(folder, LOG), writing)

        def ready():
            os.write(writing, b"1")
            os.close(writing)

        act(ready)
        return 0
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # nothing of the parent's frames may run in this process
        traceback.print_exc()
        return 1


def _redirect(log, kept):
    """Let go of every descriptor of the link: a server waits for the end of all of them."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 1)
    os.dup2(1, 2)
    for number in [int(name) for name in os.listdir("/proc/self/fd")]:
        if number > 2 and number != kept:
            try:
                os.close(number)
            except OSError:
                pass  # the one that listed the folder
