"""Clocks of NPU, CPU and DDR: what they are, and holding them at their highest for the length of a run.

Times of runs are comparable only at fixed clocks. What was there is written to a file in the work folder before
anything is changed, and put back at the end: by the run itself, or after a SIGKILL by the next `clean`. Paths are the
vendor's: devfreq for NPU and DDR, cpufreq for the CPU, debugfs's clk_summary to read back.
"""

import glob
import json
import os
from contextlib import contextmanager

from boardagent.sysinfo import at, number_of, text_of

NOTES = "clocks.json"
BOOT_ID = "/proc/sys/kernel/random/boot_id"
NPU = "/sys/class/devfreq/*.npu"
DDR = "/sys/class/devfreq/dmc"
CPU = "/sys/devices/system/cpu/cpu0/cpufreq"
CPUS = ("/sys/devices/system/cpu/cpufreq/policy*", CPU)
SUMMARY = "/sys/kernel/debug/clk/clk_summary"
ROWS = ("clk_npu_np5", "armclk", "arm", "dpll")
MOST_SUMMARY = 1 << 20
_held = {"clocks_fixed": False, "clocks_refused": []}


def readings():
    """Frequencies in Hz and governors now."""
    npu, ddr, cpu = _first(NPU), _first(DDR), at(CPU)
    return {
        "npu_hz": number_of(npu + "/cur_freq"),
        "npu_max_hz": number_of(npu + "/max_freq"),
        "npu_governor": text_of(npu + "/governor"),
        "cpu_hz": number_of(cpu + "/scaling_cur_freq", 1000),
        "cpu_max_hz": number_of(cpu + "/scaling_max_freq", 1000),
        "cpu_governor": text_of(cpu + "/scaling_governor"),
        "ddr_hz": number_of(ddr + "/cur_freq"),
        "ddr_governor": text_of(ddr + "/governor"),
        "summary": summary(),
    }


def _first(pattern):
    return (sorted(glob.glob(at(pattern))) or [at(pattern)])[0]


def summary():
    """Row -> Hz of the clocks that the vendor reads back; None where debugfs is closed to us.

    The columns before the rate are counts, three of them or two: the heading says how many.
    """
    try:
        with open(at(SUMMARY), "rb") as file:
            lines = file.read(MOST_SUMMARY).decode("ascii", "replace").splitlines()
    except OSError:
        return None
    column = max([line.split().count("count") for line in lines[:4]] or [0]) + 1
    rows = [line.split() for line in lines]
    return {
        row[0]: int(row[column])
        for row in rows
        if row and row[0] in ROWS and len(row) > column and row[column].isdigit()
    }


@contextmanager
def fixed(root, wanted):
    """Hold the clocks at their highest while the context is open, if that is wanted. `root` is the work folder.

    Yields {"clocks_fixed": bool, "clocks_refused": [path, ..]}, which `held()` tells meanwhile: the refused ones could
    not be written, usually because that takes root.
    """
    restore(root)
    changes = _changes() if wanted else []
    try:
        _note(root, changes)
        refused = [path for path, value, _ in changes if not _write(path, value)]
        _held.update(
            clocks_fixed=bool(changes) and not refused,
            clocks_refused=[path[len(at("")) :] for path in refused],
        )
        yield held()
    finally:
        _held.update(clocks_fixed=False, clocks_refused=[])
        restore(root)


def held():
    """Does a run of this process hold the clocks, and which of them could it not take?"""
    return dict(_held)


def restore(root):
    """Put back what a run of this boot noted; the paths that were written. Nothing to do is no error."""
    notes = os.path.join(root, NOTES)
    try:
        with open(notes) as file:
            noted = json.load(file)
        known = [
            (path, before) for path, before in noted["before"] if _is_clock(path) and isinstance(before, str)
        ]
    except (OSError, ValueError, KeyError, TypeError):
        known, noted = [], {}
    done = []
    if noted.get("boot_id") == text_of(BOOT_ID):  # a machine that started anew has its own clocks again
        done = [path for path, before in known if _write(path, before)]
    try:
        os.unlink(notes)
    except OSError:
        pass
    return done


def _is_clock(path):
    return isinstance(path, str) and path.startswith(at("/sys/")) and ".." not in path


def _changes():
    """(path, new value, value before) in the order of writing: the governor before the frequency it lets one set."""
    found = []
    for folder in sorted(glob.glob(at(NPU))) + sorted(glob.glob(at(DDR))):
        found += _of_governor(
            folder, "governor", "available_governors", "userspace/set_freq", text_of(folder + "/max_freq")
        )
    for folder in sorted({os.path.realpath(path) for pattern in CPUS for path in glob.glob(at(pattern))}):
        highest = text_of(folder + "/cpuinfo_max_freq") or text_of(folder + "/scaling_max_freq")
        names = ("scaling_governor", "scaling_available_governors", "scaling_setspeed", highest)
        found += _of_governor(folder, *names)
    return found


def _of_governor(folder, governor, available, speed, highest):
    before, known = (
        text_of(os.path.join(folder, governor)),
        (text_of(os.path.join(folder, available)) or "").split(),
    )
    if not before:
        return []
    path, speed = os.path.join(folder, governor), os.path.join(folder, speed)
    if "userspace" in known and highest:
        set_before = text_of(speed) if before == "userspace" else None
        return [(path, "userspace", before), (speed, highest, set_before)]
    return [(path, "performance", before)] if "performance" in known else []


def _note(root, changes):
    """On the disk before the first change; nothing for no change.

    A frequency that was set under another governor has nothing to be put back.
    """
    if not changes:
        return
    before = [[path, old] for path, _, old in changes if old is not None]
    part = os.path.join(root, NOTES + ".part")
    with open(part, "w") as file:
        json.dump({"boot_id": text_of(BOOT_ID), "before": before}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, os.path.join(root, NOTES))


def _write(path, value):
    try:
        with open(path, "w") as file:
            file.write(value)
    except OSError:
        return False
    return text_of(path) == value
