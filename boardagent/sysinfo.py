"""What kind of machine this is and in which state: the fingerprint of a run. What a board lacks is None."""

import hashlib
import os
import platform
import shutil
import sys
import time

from boardagent import protocol

NPU_DEVFREQ = "/sys/class/devfreq/ffbc0000.npu"
CPU_FREQ = "/sys/devices/system/cpu/cpu0/cpufreq"
LIBRARIES = (
    "/usr/lib/librknn_runtime.so",
    "/usr/lib/librknn_api.so",
    "/usr/lib/librknnrt.so",
    "/usr/lib/libOpenVX.so.1.2",
    "/usr/lib/libGAL.so",
    "/usr/lib/libVSC.so",
    "/usr/lib/libneuralnetworks.so",
    "/usr/bin/rknn_server",
)


def text_of(path):
    """The first 4 KB of a small file, stripped; None when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return protocol.plain(file.read(4096).decode("utf-8", "replace")).strip()
    except OSError:
        return None


def number_of(path, scale=1):
    """The number a sysfs file holds, times `scale`; None when there is none."""
    text = text_of(path)
    try:
        return int(text) * scale if text is not None else None
    except ValueError:
        return None


def memory_kb(field):
    """A field of /proc/meminfo in KB, or None."""
    for line in (text_of("/proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0])
    return None


def free_bytes(folder):
    """Bytes an ordinary user may still write where `folder` is."""
    return shutil.disk_usage(folder).free


def library_md5s():
    """The md5 of each vendor library that exists: together they name the stack, a version number does not."""
    return {path: _md5(path) for path in LIBRARIES if os.path.isfile(path)}


def _md5(path):
    # names a build, protects nothing; the vendor publishes md5s
    digest = hashlib.md5()  # noqa: S324  # nosec B324
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()


def clocks():
    """Frequencies in Hz and governors, by the paths that the vendor documents for RV1126."""
    return {
        "npu_hz": number_of(NPU_DEVFREQ + "/cur_freq"),
        "npu_max_hz": number_of(NPU_DEVFREQ + "/max_freq"),
        "npu_governor": text_of(NPU_DEVFREQ + "/governor"),
        "cpu_hz": number_of(CPU_FREQ + "/scaling_cur_freq", 1000),
        "cpu_governor": text_of(CPU_FREQ + "/scaling_governor"),
    }


def fingerprint(folder):
    """The state of this machine now, as JSON; two runs are comparable when what matters of it agrees."""
    load = text_of("/proc/loadavg")
    uptime = text_of("/proc/uptime")
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "board": text_of("/proc/device-tree/model"),
        "compatible": text_of("/proc/device-tree/compatible"),
        "driver": text_of("/sys/module/galcore/version"),
        "libraries": library_md5s(),
        "clocks": clocks(),
        "temperature_mc": number_of("/sys/class/thermal/thermal_zone0/temp"),
        "load": float(load.split()[0]) if load else None,
        "mem_total_kb": memory_kb("MemTotal"),
        "mem_available_kb": memory_kb("MemAvailable"),
        "disk_free_bytes": free_bytes(folder),
        "uptime_s": float(uptime.split()[0]) if uptime else None,
        "boot_id": text_of("/proc/sys/kernel/random/boot_id"),
        "unix_time": int(time.time()),
        "byteorder": sys.byteorder,
    }
