"""RKNN 1.7.x: RV1109, RV1126, RK1808. librknn_api.so is a thin wrapper around librknn_runtime.so; either will do."""

import os
import re

from boardagent.npu import layerfiles, libraries, outputs, throwaway
from boardagent.npu.failures import failure_of

__all__ = ["command", "environment", "failure_of", "harvest", "is_here"]

LIBRARIES = ("librknn_api.so", "librknn_runtime.so")
GIVES_SIGNS = True
DUMP_FORMAT = "nn-layer-dump"
LAYER_FILE = re.compile(r"^NodeID_\d+_.*\.txt$")
NAMES_FILE = "NodeID_To_LayerName.txt"
NOT_DUMPED = (
    "the runtime wrote no layer: the artifact is precompiled, and a precompiled one can be dumped only when "
    "NN_LAYER_DUMP was set while it was made"
)


def library():
    """Path of the runtime, or None."""
    return libraries.find(LIBRARIES)


def is_here():
    """The runtime's library exists; whether it loads is tried in a child only."""
    return library() is not None


def command(mode, folder, out):
    """The child's argument list."""
    return throwaway.command("rknn1", mode, folder, out)


def environment(mode, job):
    """OpenVX reads NN_LAYER_DUMP once, when its first context is made, and a dumping run is no normal run."""
    return {"NN_LAYER_DUMP": "1"} if mode == "dump" else {"NN_LAYER_DUMP": "0"}


def prepare():
    """Nothing is left to do in the child before the library is loaded."""


def harvest(mode, out, ended):
    """(path, role, label) of each complete file: layers as they appear, names and outputs at the end."""
    if mode == "dump":
        for path, name in layerfiles.complete(LAYER_FILE, out, ended):
            yield path, "layer", name
        names = os.path.join(out, NAMES_FILE)
        if ended and os.path.isfile(names):
            yield names, "names", NAMES_FILE
    yield from outputs.at_the_end(out, ended)
