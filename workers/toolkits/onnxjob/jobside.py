"""The child's side of the job-folder contract: events on standard output, a result or a named error at the
end."""

import ctypes
import errno
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn


class Refused(Exception):
    """The job ends with the public failure `code`; `detail` is a sentence for the person who asked for it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def stage(name: str, done: int, total: int) -> None:
    """Tell how far the job is."""
    _emit({"event": "stage", "name": name, "done": done, "total": total})


def log(text: str) -> None:
    """Add a line to the job's log."""
    _emit({"event": "log", "text": text})


def _emit(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def run_job(work: Callable[[Path, dict[str, Any]], dict[str, Any]]) -> None:
    """Do `work(folder, job)` in the folder named on the command line and leave its result.json.

    A Refused, a lack of memory or of disk becomes a named error; anything else is a toolkit:failed with its
    trace in the log.
    """
    folder = Path(sys.argv[1]).resolve()
    try:
        result = work(folder, json.loads((folder / "job.json").read_text(encoding="utf-8")))
    except Refused as refused:
        result = _error(refused.code, refused.detail)
    except MemoryError as error:
        result = _error("toolkit:out-of-memory", str(error))
    except OSError as error:
        if error.errno not in (errno.EFBIG, errno.ENOSPC, errno.EDQUOT):
            raise
        result = _error("toolkit:disk-full", str(error))
    except Exception as error:
        traceback.print_exc()
        result = _error(*_classified(error))
    partial = folder / "result.json.part"
    partial.write_text(json.dumps(result, allow_nan=False), encoding="utf-8")
    os.replace(partial, folder / "result.json")  # noqa: PTH105


def leave() -> NoReturn:
    """End this process, with all that it has printed told: taking the vendor's packages apart, PyTorch among them,
    takes half a second that nobody needs. What they left in the job's folder is deleted with it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)  # what C code has printed and not written yet
    os._exit(0)


def _classified(error: Exception) -> tuple[str, str]:
    text = f"{type(error).__name__}: {error}"
    if "bad_alloc" in text or "Failed to allocate memory" in text:
        return "toolkit:out-of-memory", text
    return "toolkit:failed", text


def _error(code: str, detail: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": detail[:4000], "detail": ""}}
