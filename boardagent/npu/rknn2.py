"""RKNPU2: RV1126B, RK356x, RK3576, RK3588 and others, through librknnrt.so.

Layer dumps: RKNN_LOG_LEVEL 5, RKNN_DUMP_DIR and RKNN_DUMP_QUANT make the runtime write one .npy file a layer, as
"025_ConvClip_385_shape_1_384_14_14_float.npy" (vendor's notes for rknn_server, and logs of its users). That librknnrt
does the same inside any process NEEDS A BOARD; where it writes nothing the dump says so.
"""

import os
import re

from boardagent.npu import layerfiles, libraries, outputs, throwaway
from boardagent.npu.failures import failure_of

__all__ = ["command", "environment", "failure_of", "harvest", "is_here"]

LIBRARIES = ("librknnrt.so",)
GIVES_SIGNS = True
DUMP_FORMAT = "nn-layer-dump"  # files of the vendor's own, whose labels say of which kind
LAYER_FILE = re.compile(r"^\d+_.*_shape_.*\.npy$")
NOT_DUMPED = "the runtime wrote no layer files; not every version of librknnrt dumps in a process of its own"


def library():
    """Path of the runtime, or None."""
    return libraries.find(LIBRARIES)


def is_here():
    """The runtime's library exists; whether it loads is tried in a child only."""
    return library() is not None


def command(mode, folder, out):
    """The child's argument list."""
    return throwaway.command("rknn2", mode, folder, out)


def environment(mode, job):
    """Level 5 dumps layers; the folder is set by the child, which knows it."""
    return {"RKNN_LOG_LEVEL": "5", "RKNN_DUMP_QUANT": "0"} if mode == "dump" else {"RKNN_LOG_LEVEL": "0"}


def prepare():
    """In the child, before the library is loaded: layers go to its working folder."""
    if os.environ.get("RKNN_LOG_LEVEL") == "5":
        os.environ["RKNN_DUMP_DIR"] = os.getcwd()


def harvest(mode, out, ended):
    """(path, role, label) of each complete file."""
    if mode == "dump":
        for path, name in layerfiles.complete(LAYER_FILE, out, ended):
            yield path, "layer", name
    yield from outputs.at_the_end(out, ended)
