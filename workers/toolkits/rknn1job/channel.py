"""The child's side of the job-folder contract, for an old interpreter: events on standard output, one result."""

import json
import os
import sys
from typing import Any, Dict


def stage(name: str, done: int, total: int) -> None:
    """Tell how far the job is.

    The toolkit leaves progress bars without a line's end on the same output, so an event begins a line of its own.
    """
    sys.stdout.flush()
    event = json.dumps({"event": "stage", "name": name, "done": done, "total": total})
    os.write(1, ("\n" + event + "\n").encode("ascii"))


def leave(folder: str, result: Dict[str, Any]) -> None:
    """Write result.json, whole or not at all."""
    partial = os.path.join(folder, "result.json.part")
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(result, file)
    os.replace(partial, os.path.join(folder, "result.json"))


def error(code: str, message: str) -> Dict[str, Any]:
    """The result of a job that failed; the end of a long message says more than its beginning."""
    return {"error": {"code": code, "message": message[-3500:], "detail": ""}}
