"""The kinds of NPU the agent can drive, each in a throw-away child: vendor libraries print and may exit.

A kind is a module with `is_here()`, `command(mode, folder, out)` (the child's argument list), `environment(mode, job)`
(what the child needs beside the agent's own), `harvest(mode, out, ended)` ((path, role, label) of each file that is
complete by now; roles are outputs, layer, names, dump), `failure_of(status, tail)` (the failure code of a child that
left no report) and `GIVES_SIGNS` (whether the child gives signs of life: signs.py). The child works in `out`, leaves
report.json and its files there, and says what went wrong as {"error": {"code", "message", "detail"}}.
"""

from boardagent.npu import rknn1, rknn2, sim

KINDS = {"rknn1": rknn1, "rknn2": rknn2, "sim": sim}


def kinds_here():
    """Names of the kinds this machine has, sorted."""
    return sorted(name for name, kind in KINDS.items() if kind.is_here())
