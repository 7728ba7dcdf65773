"""job.json, what a run was asked for: read and checked before anything is done."""

import os
import re

from boardagent import protocol

PLAIN_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
SCHEMA = 2
ORPHAN_S = 120.0


def read(folder):
    """The job in `folder`. BadMessage when a field is missing or a file name leaves the folder, OSError."""
    with open(os.path.join(folder, "job.json"), "rb") as file:
        job = protocol.decode(file.read(protocol.MAX_LINE + 1))
    if job.get("schema") != SCHEMA or job.get("kind") != "run" or not isinstance(job.get("fence"), int):
        raise protocol.BadMessage("job.json is not a run of schema {}".format(SCHEMA))
    for field in ("artifact", "inputs"):
        if not PLAIN_NAME.match(str(job.get(field))):
            raise protocol.BadMessage("job.json: {} is not a plain file name".format(field))
    modes = job.get("modes")
    if not isinstance(modes, list) or not modes or any(mode not in protocol.KNOWN_MODES for mode in modes):
        raise protocol.BadMessage("job.json: unknown modes")
    if len(set(modes)) != len(modes):
        raise protocol.BadMessage("job.json: a mode is given twice")
    wanted = job.get("sequence")
    second = wanted.get("second") if isinstance(wanted, dict) else None
    if second and not (isinstance(second, str) and PLAIN_NAME.match(second)):
        raise protocol.BadMessage("job.json: second is not a plain file name")
    for field in ("deadline_s", "orphan_s", "disk_bytes"):
        if not isinstance(job.get(field, 0), (int, float)):
            raise protocol.BadMessage("job.json: {} is not a number".format(field))
    return job


def orphan_s(job):
    """For how many seconds a run goes on while nobody is attached to it."""
    return float(job.get("orphan_s") or ORPHAN_S)
