"""What the child and the vendor's library in it have printed so far, read back from where the run keeps it."""

import ctypes
import os
import stat

from boardagent import protocol

TAIL = 4000


def flush():
    """Write out what C's stdio holds back: it is buffered in blocks when standard output is a file."""
    try:
        ctypes.CDLL(None).fflush(None)
    except (OSError, AttributeError):
        pass


def tail():
    """The last printed lines, "" when standard error is no file that can be read."""
    flush()
    try:
        if not stat.S_ISREG(os.fstat(2).st_mode):
            return ""
        with open("/proc/self/fd/2", "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            return protocol.plain(file.read(TAIL).decode("utf-8", "replace"))
    except OSError:
        return ""


def vendors_reason(text):
    """The line in which the library names both platforms, or ""."""
    lines = [line.strip() for line in text.splitlines() if "rknn model target platform" in line]
    return lines[-1][:500] if lines else ""
