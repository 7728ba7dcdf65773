"""Files that the vendor's runtime writes one after the other: which of them are complete by now."""

import os

UNMAPPED = -1


def complete(pattern, out, ended):
    """(path, name) of each file in `out` whose name matches and that will not change any more, oldest first.

    One process writes one file at a time, so a file is complete when a newer one exists or the child has ended.
    Clocks of file systems tick slowly: files as old as the newest one wait.
    """
    found = sorted(
        (os.stat(path).st_mtime_ns, _number(name), name, path) for name, path in _here(pattern, out)
    )
    newest = found[-1][0] if found else 0
    return [(path, name) for time_ns, _, name, path in found if ended or time_ns < newest]


def is_any_here(pattern, out):
    """Has the runtime written any such file? The run takes complete ones away, but never the newest of a live child."""
    return any(True for _ in _here(pattern, out))


def _here(pattern, out):
    return [
        (name, os.path.join(out, name))
        for name in os.listdir(out)
        if pattern.match(name) and _is_file(out, name)
    ]


def _is_file(out, name):
    path = os.path.join(out, name)
    return os.path.isfile(path) and not os.path.islink(path)


def _number(name):
    digits = "".join(part for part in name.replace("NodeID_", "").split("_")[0] if part.isdigit())
    return int(digits) if digits else UNMAPPED
