"""Where a vendor library lies on this machine. Nothing is loaded here."""

import os

from boardagent import sysinfo

VARIABLE = "LAYERWISE_RKNN_LIBRARY"
FOLDERS = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib32",
    "/usr/lib/arm-linux-gnueabihf",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/local/lib",
    "/lib",
    "/oem/usr/lib",
    "/vendor/lib64",
    "/vendor/lib",
)


def find(names):
    """The path of the first of `names` that is here, or None.

    The environment's LAYERWISE_RKNN_LIBRARY (a file) comes first when it is called like one of them, then
    LD_LIBRARY_PATH, then the usual folders.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return os.path.abspath(given) if _is_one_of(given, names) and os.path.isfile(given) else None
    searched = [part for part in os.environ.get("LD_LIBRARY_PATH", "").split(":") if part]
    searched += [sysinfo.at(folder) for folder in FOLDERS]
    found = [os.path.join(folder, name) for folder in searched for name in names]
    return next((path for path in found if os.path.isfile(path)), None)


def _is_one_of(path, names):
    return any(os.path.basename(path).startswith(name) for name in names)
