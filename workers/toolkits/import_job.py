"""Opening an upload made with the vendor's own tools, and writing its dumps (docs/imports.md).

Runs in a limited child: `python -P -m workers.toolkits.import_job FOLDER`. job.json names the file (`upload`), the name
it was uploaded with (`uploaded_name`), how many bytes it may unpack to (`max_bytes`) and, optional, a `reference`: the
dump that decides names and axis orders of a runtime's layer files.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from workers.toolkits.imported.recognise import Recognised, recognise
from workers.toolkits.imported.unpack import unpack
from workers.toolkits.onnxjob.jobside import log, run_job

SHOWN = 50


def read_upload(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """What the upload holds; its dumps lie in `folder`. Raises Refused import:* or data:unsafe-path."""
    tree = unpack(
        folder / str(job["upload"]), str(job["uploaded_name"]), folder / "unpacked", int(job["max_bytes"])
    )
    reference = folder / str(job["reference"]) if job.get("reference") else None
    found = recognise(tree, folder, reference)
    for part in found.parts:
        log(f"{part['where']}: {part['what']}")
    return _result(found)


def _result(found: Recognised) -> dict[str, Any]:
    return {
        "dumps": [{"rung": one.rung, "file": one.file.name, "origin": one.origin} for one in found.dumps],
        "scores": [asdict(score) for score in found.scores],
        "tables": [asdict(table) for table in found.tables],
        "parts": found.parts[:SHOWN],
        "ignored": {"count": len(found.ignored), "names": [name[:200] for name in found.ignored[:SHOWN]]},
    }


if __name__ == "__main__":
    run_job(read_upload)
