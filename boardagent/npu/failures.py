"""Why an NPU child failed: the codes of the vendor's library and of the process, as failure codes of the site.

The library's codes are those of rknn_api.h 1.7.5 and of RKNPU2, which share them [API 3.2.6].
"""

import re
import signal

from boardagent.protocol import EXIT_UNUSABLE_PYTHON

NAMES = {
    -1: "RKNN_ERR_FAIL",
    -2: "RKNN_ERR_TIMEOUT",
    -3: "RKNN_ERR_DEVICE_UNAVAILABLE",
    -4: "RKNN_ERR_MALLOC_FAIL",
    -5: "RKNN_ERR_PARAM_INVALID",
    -6: "RKNN_ERR_MODEL_INVALID",
    -7: "RKNN_ERR_CTX_INVALID",
    -8: "RKNN_ERR_INPUT_INVALID",
    -9: "RKNN_ERR_OUTPUT_INVALID",
    -10: "RKNN_ERR_DEVICE_UNMATCH",
    -11: "RKNN_ERR_INCOMPATILE_PRE_COMPILE_MODEL",
    -12: "RKNN_ERR_INCOMPATILE_OPTIMIZATION_LEVEL_VERSION",
    -13: "RKNN_ERR_TARGET_PLATFORM_UNMATCH",
    -14: "RKNN_ERR_NON_PRE_COMPILED_MODEL_ON_MINI_DRIVER",
}  # literal spellings of the header
CODES = {-2: "board:npu-hung", -3: "board:npu-unavailable", -4: "board:no-memory"}
REJECTED = (-6, -10, -11, -12, -13, -14)
OUT_OF_MEMORY = re.compile(r"MemoryError|bad_alloc|[Oo]ut of memory|Cannot allocate memory")


class NpuFailure(Exception):
    """The run cannot go on; `code` is the site's failure code."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def of_call(call, status):
    """The failure of a library call that returned `status`, below zero."""
    code = "board:rejected-artifact" if status in REJECTED else CODES.get(status, "board:npu-failed")
    return NpuFailure(code, "{} returned {} ({})".format(call, status, NAMES.get(status, "unknown code")))


def failure_of(status, tail):
    """The failure code of a child that ended with `status` (negative: a signal) and left no report.

    Without its device the 1.7 library ends the whole process with status 1 instead of returning a code. Nothing of
    ours ends a child by SIGKILL and then asks here, so that signal is the kernel's for want of memory.
    """
    if status == EXIT_UNUSABLE_PYTHON:
        return "board:no-python"
    if status == -signal.SIGKILL or OUT_OF_MEMORY.search(tail or ""):
        return "board:no-memory"
    return "board:npu-exited"
