"""How the worker starts the job scripts that live beside this module: interpreter, environment, limits from
the settings."""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from workers.child import Limits
from workers.jobfolder import JobFolder

ROOT = Path(__file__).resolve().parents[2]
FEW_THREADS = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}


def conversion_limits() -> Limits:
    """Limits of a conversion: LAYERWISE_TOOLKIT_SECONDS, _SILENCE_SECONDS, _MEMORY_MB and _FILE_MB."""
    return Limits(
        seconds=settings.TOOLKIT_SECONDS,
        silence_seconds=settings.TOOLKIT_SILENCE_SECONDS,
        memory_mb=settings.TOOLKIT_MEMORY_MB,
        file_mb=settings.TOOLKIT_FILE_MB,
    )


def inspection_limits() -> Limits:
    """Limits of an inspection: LAYERWISE_INSPECT_SECONDS of processor time and LAYERWISE_INSPECT_MEMORY_MB."""
    return Limits(
        seconds=settings.INSPECT_SECONDS * 1.5,
        silence_seconds=settings.INSPECT_SECONDS * 1.5,
        memory_mb=settings.INSPECT_MEMORY_MB,
        file_mb=4096,
        processes=16,
        cpu_seconds=settings.INSPECT_SECONDS,
    )


def import_limits() -> Limits:
    """Limits of reading an import: LAYERWISE_IMPORT_SECONDS, LAYERWISE_INSPECT_MEMORY_MB, and disk for what it unpacks
    to (LAYERWISE_MAX_IMPORT_MB), for the dumps made of that, and for the upload itself."""
    disk = 2 * settings.MAX_IMPORT_BYTES + settings.MAX_UPLOAD_BYTES
    return Limits(
        seconds=settings.IMPORT_SECONDS,
        silence_seconds=settings.IMPORT_SECONDS,
        memory_mb=settings.INSPECT_MEMORY_MB,
        file_mb=disk >> 20,
        processes=16,
        cpu_seconds=settings.IMPORT_SECONDS,
    )


def run_script(
    script: str,
    folder: JobFolder,
    *,
    limits: Limits,
    on_event: Callable[[dict[str, Any]], None],
    should_stop: Callable[[], bool],
    python: Path | None = None,
) -> dict[str, Any]:
    """Run workers/toolkits/<script>.py in `folder` and return its result; `python` is the toolkit's own interpreter.

    Raises what JobFolder.run raises.
    """
    # -P keeps the job's folder, which holds files of strangers, off the import path; -s keeps a user's
    # packages out.
    argv = [str(python or sys.executable), "-P", "-s", "-m", f"workers.toolkits.{script}", str(folder.path)]
    env = {**FEW_THREADS, "PYTHONPATH": os.pathsep.join([str(ROOT), *([] if python else _packages())])}
    return folder.run(argv, limits=limits, on_event=on_event, should_stop=should_stop, env=env)


# Before 3.11 there is no -P. Our packages come last on its path, the folder with strangers' files not at all.
START = (
    "import sys; sys.path[0:1] = []; sys.path.append(sys.argv[1]); "
    "from workers.toolkits.rknn1job.{} import main; main(sys.argv[2])"
)


def run_old_script(
    script: str,
    folder: JobFolder,
    *,
    limits: Limits,
    on_event: Callable[[dict[str, Any]], None],
    should_stop: Callable[[], bool],
    python: Path,
) -> dict[str, Any]:
    """Run workers/toolkits/rknn1job/<script>.py in `folder` by an old interpreter, which gets nothing else of ours.

    Raises what JobFolder.run raises.
    """
    argv = [str(python), "-s", "-c", START.format(script), str(ROOT), str(folder.path)]
    env = {**FEW_THREADS, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    return folder.run(argv, limits=limits, on_event=on_event, should_stop=should_stop, env=env)


def _packages() -> list[str]:
    """Where this process found numpy, when that is not where its interpreter would look by itself."""
    found = importlib.util.find_spec("numpy")
    place = str(Path(found.origin).parents[1]) if found and found.origin else ""
    return [place] if place and not place.startswith(sys.prefix) else []
