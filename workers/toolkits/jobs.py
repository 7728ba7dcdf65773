"""How the worker starts the job scripts that live beside this module: interpreter, environment, limits from
the settings."""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.child import Limits
from workers.jobfolder import JobFolder

ROOT = Path(__file__).resolve().parents[2]
INSPECTION = Limits(
    seconds=90, silence_seconds=90, memory_mb=4096, file_mb=4096, processes=16, cpu_seconds=60
)


def conversion_limits() -> Limits:
    """Limits of a conversion: LAYERWISE_TOOLKIT_SECONDS, LAYERWISE_TOOLKIT_MEMORY_MB and
    LAYERWISE_TOOLKIT_FILE_MB, or defaults."""
    return Limits(
        seconds=float(os.environ.get("LAYERWISE_TOOLKIT_SECONDS", "1800")),
        memory_mb=int(os.environ.get("LAYERWISE_TOOLKIT_MEMORY_MB", "8192")),
        file_mb=int(os.environ.get("LAYERWISE_TOOLKIT_FILE_MB", "8192")),
    )


def run_script(
    script: str,
    folder: JobFolder,
    *,
    limits: Limits,
    on_event: Callable[[dict[str, Any]], None],
    should_stop: Callable[[], bool],
) -> dict[str, Any]:
    """Run workers/toolkits/<script>.py in `folder` and return its result. Raises what JobFolder.run
    raises."""
    # -P keeps the job's folder, which holds files of strangers, off the import path; -s keeps a user's
    # packages out.
    argv = [sys.executable, "-P", "-s", "-m", f"workers.toolkits.{script}", str(folder.path)]
    env = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *_packages()]),
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
    }
    return folder.run(argv, limits=limits, on_event=on_event, should_stop=should_stop, env=env)


def _packages() -> list[str]:
    """Where this process found numpy, when that is not where its interpreter would look by itself."""
    found = importlib.util.find_spec("numpy")
    place = str(Path(found.origin).parents[1]) if found and found.origin else ""
    return [place] if place and not place.startswith(sys.prefix) else []
