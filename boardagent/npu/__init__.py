"""The kinds of NPU the agent can drive, each in a throw-away child: vendor libraries print and may exit.

A kind is a module with `is_here()` and `command(mode, folder, out)`: the child's argument list. The child
works in `out`, leaves report.json and its tensor files there, and says what went wrong as
{"error": {"code", "message", "detail"}}.
"""

from boardagent.npu import sim

KINDS = {"sim": sim}


def kinds_here():
    """Names of the kinds this machine has, sorted."""
    return sorted(name for name, kind in KINDS.items() if kind.is_here())
