"""RKNN-Toolkit2 in its own interpreter (LAYERWISE_RKNN2), its results checked before they count."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from dashboard.conversions.models import FrameworkBy
from dashboard.conversions.offered import Offered
from dashboard.conversions.proposal import ProposedLayer, read_proposal
from dashboard.conversions.services import Converted
from similarity.dumpfile import DamagedFile, DumpFile
from similarity.tensorfile import TensorFile
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits.explaining import explained
from workers.toolkits.jobs import conversion_limits, run_script
from workers.toolkits.probing import probed
from workers.toolkits.renaming import rename

RUNGS = ("framework", "converted", "quantized")
NEEDED = ("framework", "quantized")  # the toolkit's own float graph may have to stand for the first
MAGIC = b"RKNN"
SMALLEST = 512  # bytes; the shortest .rknn of one operator has some thousands
TEXT_BYTES = 64 << 20


class Rknn2Toolkit:
    """One version of the vendor's toolkit for RV1126B, RK35xx and their relatives."""

    name = "rknn2"

    def __init__(self, python: Path, offered: Offered) -> None:
        self.python, self.offered = python, offered

    def convert(
        self, folder: JobFolder, on_event: Callable[[dict[str, Any]], None], should_stop: Callable[[], bool]
    ) -> Converted:
        """Run the job and check every file that it announces. Raises JobError toolkit:bad-result for a damaged one."""
        with explained(folder):
            result = run_script(
                "rknn2_job",
                folder,
                limits=conversion_limits(),
                on_event=on_event,
                should_stop=should_stop,
                python=self.python,
            )
        try:
            return checked(folder, result)
        except (DamagedFile, KeyError, ValueError, TypeError, AttributeError) as error:
            raise JobError("toolkit:bad-result", f"{type(error).__name__}: {error}") from error


def here() -> list[Rknn2Toolkit]:
    """The toolkits of this worker: one for each environment of LAYERWISE_RKNN2 that is there and works."""
    pythons = [Path(folder) / "bin" / "python" for folder in settings.RKNN2_DIRS]
    found = [(python, probed(Rknn2Toolkit.name, python)) for python in pythons if python.is_file()]
    return [Rknn2Toolkit(python, offered) for python, offered in found if offered]


def checked(folder: JobFolder, result: dict[str, Any]) -> Converted:
    """The announced files, opened and compared with each other. Raises JobError toolkit:bad-result, DamagedFile,
    KeyError.
    """
    announced = [rung for rung in RUNGS if rung in result["dumps"] or rung in NEEDED]
    dumps = {rung: folder.file(result["dumps"][rung]) for rung in announced}
    for rung, path in dumps.items():
        with DumpFile.open(path) as dump:
            if dump.rung != rung or not dump.layers:
                raise _bad(f"The {rung} dump calls itself {dump.rung} and holds {len(dump.layers)} layers.")
    if "converted" in dumps:
        rename(dumps)
    converted = Converted(
        artifact=folder.file(result["artifact"]),
        inputs=folder.file(result["inputs"]),
        dumps=dumps,
        calibration_table=folder.file(result["calibration_table"]),
        build_facts=folder.file(result["build_facts"]),
        proposal=_proposal(folder.read_map(result["build_facts"], TEXT_BYTES)),
        toolkit_version=str(result["toolkit_version"])[:200],
        framework_by=FrameworkBy(str(result["framework_by"])),
    )
    folder.read_map(result["calibration_table"], TEXT_BYTES)
    with converted.artifact.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC or converted.artifact.stat().st_size < SMALLEST:
            raise _bad("The artifact is no .rknn file.")
    TensorFile.open(converted.inputs).close()
    return converted


def _proposal(facts: dict[str, Any]) -> tuple[ProposedLayer, ...]:
    try:
        return read_proposal(facts.get("proposal", []))
    except ValueError as error:
        raise _bad(str(error)) from error


def _bad(detail: str) -> JobError:
    return JobError("toolkit:bad-result", detail)
