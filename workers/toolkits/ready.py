"""Ready .rknn files: nothing is converted. The header is read and the sample prepared, in a limited subprocess; where
the version has the float network as another route, a second one runs that for its dump.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dashboard.conversions.offered import Offered
from dashboard.conversions.offers import OFFERS, READY
from dashboard.conversions.services import Converted
from similarity.dumpfile import DamagedFile, DumpFile
from similarity.tensorfile import DamagedFile as DamagedTensors
from similarity.tensorfile import TensorFile
from workers.errors import JobError, is_death
from workers.jobfolder import JobFolder
from workers.toolkits.jobs import conversion_limits, run_script

VERSION = "1"  # of what is read of the files
RUNG = "framework"


class ReadyToolkit:
    """The upload is the artifact; it is run as it is (see workers/toolkits/ready_job.py)."""

    name = READY

    def __init__(self, offered: Offered) -> None:
        self.offered = offered

    def convert(
        self, folder: JobFolder, on_event: Callable[[dict[str, Any]], None], should_stop: Callable[[], bool]
    ) -> Converted:
        """The file itself, its prepared sample, and the dump of the float network if there is one. Raises JobError."""
        how: dict[str, Any] = {
            "limits": conversion_limits(),
            "on_event": on_event,
            "should_stop": should_stop,
        }
        result = run_script("ready_job", folder, **how)
        try:
            inputs = folder.file(result["inputs"])
            TensorFile.open(inputs).close()
            artifact, made_by = folder.file(result["artifact"]), str(result["toolkit_version"])[:200]
        except (DamagedTensors, KeyError, TypeError, AttributeError) as error:
            raise JobError("toolkit:bad-result", f"{type(error).__name__}: {error}") from error
        dumps = self._float_route(folder, how) if (folder.path / "framework.onnx").exists() else {}
        return Converted(artifact=artifact, inputs=inputs, dumps=dumps, toolkit_version=made_by)

    def _float_route(self, folder: JobFolder, how: dict[str, Any]) -> dict[str, Path]:
        """The float network's dump; {} when it could not be run: then the file is run only, and the log says why.

        One that died is run once more, since somebody else may have killed it: what is missing here stays missing.
        """
        try:
            try:
                return _float_dump(folder, how)
            except JobError as error:
                if not is_death(error):
                    raise
                return _float_dump(folder, how)
        except (JobError, DamagedFile, KeyError) as error:
            text = error.detail if isinstance(error, JobError) else str(error)
            how["on_event"](
                {"event": "log", "text": f"Nothing to compare with: the float network failed. {text}"}
            )
            return {}


def _float_dump(folder: JobFolder, how: dict[str, Any]) -> dict[str, Path]:
    """Raises JobError, DamagedFile or KeyError."""
    (folder.path / "result.json").unlink(missing_ok=True)
    path = folder.file(run_script("float_route_job", folder, **how)[RUNG])
    with DumpFile.open(path) as dump:
        is_good = dump.rung == RUNG and bool(dump.layers)
    return {RUNG: path} if is_good else {}


def here() -> list[ReadyToolkit]:
    """Every worker has it: it needs nothing but the worker's own packages, so there is nothing to probe."""
    return [ReadyToolkit(Offered(READY, VERSION, ".rknn files as they are", OFFERS[READY]))]
