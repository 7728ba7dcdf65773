"""A supervisor over small stand-in services, run as a process of its own so that it can be killed for real.

`python -m tests.supervisor.stand_in FOLDER NAME...` starts the named services, prints "up" and serves. The
folder is an argument of every process started, so a test can find all of them.
"""

import sys
from pathlib import Path

from dashboard.supervisor.datafolder import DataFolder
from dashboard.supervisor.service import Service
from dashboard.supervisor.supervisor import StartFailed, Stopped, Supervisor

SLEEP = "import sys, time; print('ready', flush=True); time.sleep(600)"
# A child in a session of its own with such a child again, like a toolkit job or sshd; all ignore TERM.
FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
depth = int(sys.argv[2])
if depth:
    child = [sys.executable, "-c", sys.argv[3], sys.argv[1], str(depth - 1), sys.argv[3]]
    subprocess.Popen(child, start_new_session=True)
else:
    print("ready", flush=True)
time.sleep(600)
"""
# Leaves a grandchild behind and ends, as a daemon does.
LEAVER = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]], start_new_session=True)
print("ready", flush=True)
"""


def service(name: str, folder: str) -> Service:
    """A service by its name; `is_ready` is the word it prints."""
    codes = {"sleeper": [SLEEP, folder], "family": [FAMILY, folder, "2", FAMILY], "leaver": [LEAVER, folder]}
    codes |= {
        "breaker": ["import sys; print('no luck'); sys.exit(3)", folder],
        "mute": ["import time; time.sleep(600)", folder],
    }
    kind = name.split("-", maxsplit=1)[0]
    return Service(
        name,
        [sys.executable, "-c", *codes[kind]],
        is_ready=lambda written: "ready" in written,
        ready_s=3,
        grace_s=1,
    )


def main(folder: str, names: list[str]) -> None:
    """Serve until a signal; say what went wrong."""
    data = DataFolder(Path(folder))
    data.take(say=print)
    data.write_run({"url": "http://127.0.0.1:1/"})
    try:
        with Supervisor(data.path / "log", lambda text: print(text, flush=True), data.lock) as supervisor:
            try:
                for name in names:
                    supervisor.start(service(name, folder))
                print("up", flush=True)
                supervisor.run_until_stopped()
            except Stopped:
                print("stopped early", flush=True)
    except StartFailed as error:
        print(f"failed: {error}", flush=True)
        sys.exit(1)
    finally:
        data.release()
    print("down", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
