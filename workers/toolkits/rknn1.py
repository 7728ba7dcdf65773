"""RKNN-Toolkit 1.x for RV1126 and RV1109 in its Python 3.6 or 3.8 (LAYERWISE_RKNN1).

That interpreter is too old for our own modules. So a conversion has three steps in one job folder: ours prepares, the
toolkit's converts (workers/toolkits/rknn1job), ours collects; each is a limited child.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings

from dashboard.conversions.offered import Offered
from dashboard.conversions.services import Converted
from similarity.dumpfile import DamagedFile
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits.drawn import drawn
from workers.toolkits.explaining import explained
from workers.toolkits.jobs import conversion_limits, run_old_script, run_script
from workers.toolkits.probing import probed
from workers.toolkits.rknn2 import checked


class Rknn1Toolkit:
    """One version of the vendor's toolkit for RV1126 and RV1109."""

    name = "rknn1"

    def __init__(self, python: Path, offered: Offered) -> None:
        self.python, self.offered = python, offered

    def convert(
        self, folder: JobFolder, on_event: Callable[[dict[str, Any]], None], should_stop: Callable[[], bool]
    ) -> Converted:
        """Run the three steps and check every file that they announce. Raises JobError."""
        ours: dict[str, Any] = {
            "limits": conversion_limits(),
            "on_event": on_event,
            "should_stop": should_stop,
        }
        run_script("rknn1_prepare_job", folder, **ours)
        version = self.carry_out(folder, ours)
        result = run_script("rknn1_collect_job", folder, **ours)
        try:
            made = checked(folder, {**result, "toolkit_version": f"rknn-toolkit {version}"})
            own = made.dumps.get("converted", made.dumps["framework"])  # the toolkit's own float graph
            return replace(made, histograms=drawn(folder, result, own))
        except (DamagedFile, KeyError, ValueError, TypeError, AttributeError) as error:
            raise JobError("toolkit:bad-result", f"{type(error).__name__}: {error}") from error

    def carry_out(self, folder: JobFolder, how: Mapping[str, Any]) -> str:
        """The middle step: the vendor's calls, by the plan in the folder; the version that made them. `how` is for
        JobFolder.run.

        Raises JobError with the code that the toolkit's own message stands for.
        """
        forget_result(folder)
        with explained(folder):
            result = run_old_script("conversion", folder, python=self.python, **how)
        forget_result(folder)
        (folder.path / "toolkit.log").write_text("\n".join(folder.log), encoding="utf-8")
        return str(result.get("version", ""))


def forget_result(folder: JobFolder) -> None:
    """Delete the result of a step that is done, so that the next one cannot end by it."""
    (folder.path / "result.json").unlink(missing_ok=True)


def here() -> list[Rknn1Toolkit]:
    """The toolkits of this worker: one for each environment or interpreter of LAYERWISE_RKNN1 that works."""
    pythons = [place / "bin" / "python" if place.is_dir() else place for place in settings.RKNN1_PLACES]
    found = [(python, probed(Rknn1Toolkit.name, python)) for python in pythons if python.is_file()]
    return [Rknn1Toolkit(python, offered) for python, offered in found if offered]
