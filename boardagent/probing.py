"""`probe`: what this board can do, found out step by step; each NPU kind is tried in a throw-away child."""

import os
import shutil
import tempfile
import time

from boardagent import children, npu, protocol, signs

PATIENCE_S = 20.0


def steps(root):
    """(kind, step, whether it went well, words) of each step, as they are done."""
    for name in npu.kinds_here():
        yield name, "library", True, ""
        for step in _loading(npu.KINDS[name], root):
            yield (name, *step)


def _loading(kind, root):
    out = tempfile.mkdtemp(prefix="probe-", dir=root)
    until = time.monotonic() + PATIENCE_S

    def watch():
        if time.monotonic() >= until:
            raise TimeoutError("not a word for {:g} s".format(PATIENCE_S))

    try:
        ended = children.run_child(
            kind.command("probe", out, out),
            out,
            environment=kind.environment("probe", {}),
            started=lambda pid: None,
            watch=watch,
            listener=signs.Listener() if kind.GIVES_SIGNS else None,
        )
        yield from _told(kind, out, ended)
    except (OSError, children.CannotStart) as error:
        yield "load", False, str(error)
    except signs.Silent as silence:
        yield "load", False, "board:npu-hung: {}".format(silence)
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _told(kind, out, ended):
    """What the child's report, or its death, means."""
    try:
        with open(os.path.join(out, "report.json"), "rb") as file:
            report = protocol.decode(file.read(protocol.MAX_LINE + 1))
    except (OSError, protocol.BadMessage):
        words = "{}: {}".format(kind.failure_of(ended.status, ended.tail), ended.tail)
        yield "load", False, words
        return
    error = report.get("error")
    if error is not None:
        yield "load", False, "{}: {}".format(error.get("code"), error.get("message"))
        return
    yield "load", True, ""
    about = report.get("npu")
    yield "version", True, str(about.get("npu", "")) if isinstance(about, dict) else ""
