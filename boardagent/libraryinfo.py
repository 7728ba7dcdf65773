"""The files of the vendor's NPU stack: their md5s together name it, a version number alone does not.

For RV1109 and RV1126 the full driver is 21 paths: libraries below /usr/lib with their links, two plugins, and three
programs. Drivers of other years and chips have a few names more or less, so families are looked for, not single names.
"""

import glob
import hashlib
import os
import re

from boardagent.protocol import plain
from boardagent.sysinfo import at

PATTERNS = (
    "/usr/lib/librknn*.so*",
    "/usr/lib32/librknn*.so*",
    "/usr/lib64/librknn*.so*",
    "/usr/lib/*-linux-gnu*/librknn*.so*",
    "/usr/local/lib/librknn*.so*",
    "/oem/usr/lib/librknn*.so*",
    "/vendor/lib*/librknn*.so*",
    "/usr/lib/libOpenVX*.so*",
    "/usr/lib/libOpenCL*.so*",
    "/usr/lib/libGAL*.so*",
    "/usr/lib/libVSC*.so*",
    "/usr/lib/libCLC*.so*",
    "/usr/lib/libArchModelSw*.so*",
    "/usr/lib/libNN*.so*",
    "/usr/lib/libOvx*.so*",
    "/usr/lib/libneuralnetworks*.so*",
    "/usr/lib/npu/rknn/plugins/*.so*",
    "/usr/lib/npu/rknn/memory_profile",
    "/usr/bin/rknn_server",
    "/usr/bin/query_npu_usage",
)
MOST_FILES = 60
BLOCK = 1 << 20
OVERLAP = 200
# "1.7.5 (ccb93f1 build: 2023-07-18 10:56:29 base: 1131)" in RKNN 1.x
# "librknnrt version: 1.5.2 (c6b7b351a@2023-08-23T15:28:22)" in RKNPU2
BUILD = re.compile(rb"\d+\.\d+\.\d+ \([0-9a-f]{6,40} build: [\x20-\x28\x2a-\x7e]{4,90}\)")
VERSION_2 = re.compile(rb"librknnrt version: \d+\.\d+\.[\x20-\x7e]{1,90}")
MARKS = ((b" build: ", BUILD), (b"librknnrt version: ", VERSION_2))
_known = {}  # what a file of this inode, size and time was: the second fingerprint of a run need not read 87 MB again


def md5s():
    """Path -> md5 of each file of the stack that is here; None for one that cannot be read."""
    return {path: _facts(path)[0] for path in _paths()}


def builds():
    """Path -> the first build string inside, for the files that hold one."""
    found = {path: _facts(path)[1] for path in _paths()}
    return {path: build for path, build in found.items() if build}


def build_of(path):
    """The build string inside the file at `path`, or None; the file is not loaded."""
    return _read(path)[1]


def _paths():
    root = at("")
    found = sorted({path for pattern in PATTERNS for path in glob.glob(at(pattern)) if os.path.isfile(path)})
    return [path[len(root) :] for path in found[:MOST_FILES]]


def _facts(path):
    try:
        status = os.stat(at(path))
    except OSError:
        return None, None
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    if key not in _known:
        _known[key] = _read(at(path))
    return _known[key]


def _read(path):
    """(md5, build string) in one pass and in blocks."""
    # names a build, protects nothing; the vendor publishes md5s
    digest, build, carry = hashlib.md5(), None, b""  # noqa: S324  # nosec B324
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(BLOCK), b""):
                digest.update(block)
                if build is None:
                    build = _build_in(carry + block)
                    carry = block[-OVERLAP:]
    except OSError:
        return None, None
    return digest.hexdigest(), build


def _build_in(data):
    for mark, form in MARKS:
        if mark in data:
            found = form.search(data)
            if found:
                return plain(found.group().decode("ascii", "replace"))
    return None
