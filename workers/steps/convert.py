"""Convert a source by its recipe with a toolkit, in a job folder of its own."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from django.conf import settings

from dashboard import files
from dashboard.conversions.models import Conversion, FrameworkBy
from dashboard.conversions.services import keep_artifact, store_conversion
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.lease import Lease
from workers.lifecycle import Keep
from workers.steps.events import report_to
from workers.steps.source import Bringing
from workers.toolkits.base import get_toolkit


def convert(conversion: Conversion, lease: Lease) -> Keep:
    """Run the toolkit and store what it made; the rows are written when the job ends."""
    recipe = conversion.recipe.value
    toolkit = get_toolkit(recipe, conversion.source.format or "")
    root = Path(settings.WORK_DIR) / "jobs"
    with JobFolder(root, f"conversion-{conversion.pk}-{lease.fence.attempt}", lease.log) as folder:
        by = fill(folder, conversion, lease)
        made = toolkit.convert(folder, report_to(lease), lease.is_lost)
        if recipe.toolkit_version and made.toolkit_version != toolkit.offered.title:
            raise JobError(  # somebody exchanged it under the worker
                "recipe:no-toolkit",
                f"{toolkit.offered.title} has become {made.toolkit_version}: start this worker anew.",
            )
        lease.stage("storing")
        fields = store_conversion(conversion, replace(made, framework_by=made.framework_by or by))
    return partial(keep_artifact, conversion, fields)


def fill(folder: JobFolder, conversion: Conversion, lease: Lease) -> FrameworkBy | None:
    """The job's settings and input files (contract: ARCHITECTURE.md, "Toolkit job convert").

    Returns whose reading of the source is executed for the float dump, None where the toolkit has to tell.
    """
    calibration, samples = conversion.calibration, conversion.samples
    source = Bringing(conversion, folder, lease).bring()
    folder.add("calibration.safetensors", files.existing(calibration.inspection.samples_sha256))
    folder.add("evaluation.safetensors", files.existing(samples.inspection.samples_sha256))
    folder.write_job(
        {
            "kind": "convert",
            **source,
            "calibration": "calibration.safetensors",
            "evaluation": "evaluation.safetensors",
            "sample": conversion.sample,
            "layout": {"calibration": calibration.sample_layout, "evaluation": samples.sample_layout},
            "recipe": conversion.recipe.settings,
        }
    )
    return FrameworkBy(source["framework_by"]) if "framework_by" in source else None
