"""Taking a source of two files apart: the zip in, both files out, named as toolkits expect them.

Runs in a limited child: `python -P -m workers.toolkits.unpack_job FOLDER`. job.json names the zip (`source`), the
greatest size of one file (`max_bytes`) and, by role, the names to write (`names`).
"""

from pathlib import Path
from typing import Any

from workers.toolkits.formats.recognise import recognise
from workers.toolkits.onnxjob.jobside import run_job


def unpack(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """The names of the files by role. Raises Refused model:*."""
    found = recognise(folder / str(job["source"]))
    for role, part in found.parts.items():
        part.copy_to(folder / str(job["names"][role]), int(job["max_bytes"]))
    return {"format": found.format, "names": {role: job["names"][role] for role in found.parts}}


if __name__ == "__main__":
    run_job(unpack)
