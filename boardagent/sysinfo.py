"""What kind of machine this is and in which state: the fingerprint of a run. What a board lacks is None.

Every path lies below the root that LAYERWISE_SYSROOT names; usually that is /.
"""

import glob
import os
import platform
import shutil
import sys
import time

from boardagent import protocol

MOST_ZONES = 32


def at(path):
    """`path` below the root of this machine's files."""
    root = os.environ.get("LAYERWISE_SYSROOT", "").rstrip("/")
    return root + path if root else path


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
    for line in (text_of(at("/proc/meminfo")) or "").splitlines():
        name, _, rest = line.partition(":")
        if name == field and rest.split() and rest.split()[0].isdigit():
            return int(rest.split()[0])
    return None


def free_bytes(folder):
    """Bytes an ordinary user may still write where `folder` is."""
    return shutil.disk_usage(folder).free


def temperatures_mc():
    """Each thermal zone's name and thousandths of a degree Celsius; what cannot be read is None."""
    zones = sorted(glob.glob(at("/sys/class/thermal/thermal_zone*")), key=lambda path: (len(path), path))
    return [
        {
            "zone": text_of(zone + "/type") or os.path.basename(zone),
            "temperature_mc": number_of(zone + "/temp"),
        }
        for zone in zones[:MOST_ZONES]
    ]


def _first_number(text):
    try:
        return float(text.split()[0])
    except (AttributeError, IndexError, ValueError):
        return None


def fingerprint(folder):
    """The state of this machine now, as JSON; two runs are comparable when what matters of it agrees."""
    from boardagent import clocks, kernellog, libraryinfo  # they read through this module

    zones = temperatures_mc()
    found = {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "board": text_of(at("/proc/device-tree/model")),
        "compatible": text_of(at("/proc/device-tree/compatible")),
        "driver": text_of(at("/sys/module/galcore/version")) or text_of(at("/sys/module/rknpu/version")),
        "driver_line": kernellog.last_line("galcore version", "rknpu version", "initialized rknpu"),
        "libraries": libraryinfo.md5s(),
        "builds": libraryinfo.builds(),
        "clocks": clocks.readings(),
        "temperature_mc": zones[0]["temperature_mc"] if zones else None,
        "temperatures_mc": zones,
        "load": _first_number(text_of(at("/proc/loadavg"))),
        "mem_total_kb": memory_kb("MemTotal"),
        "mem_available_kb": memory_kb("MemAvailable"),
        "disk_free_bytes": free_bytes(folder),
        "uptime_s": _first_number(text_of(at("/proc/uptime"))),
        "boot_id": text_of("/proc/sys/kernel/random/boot_id"),
        "unix_time": int(time.time()),
        "byteorder": sys.byteorder,
    }
    found.update(clocks.held())
    return found
