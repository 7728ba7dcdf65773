"""Convert a source by its recipe with a toolkit, in a job folder of its own."""

from functools import partial
from pathlib import Path

from django.conf import settings

from dashboard import files
from dashboard.conversions.models import Conversion
from dashboard.conversions.services import keep_artifact, store_conversion
from workers.jobfolder import JobFolder
from workers.lease import Lease
from workers.lifecycle import Keep
from workers.steps.events import report_to
from workers.toolkits.base import get_toolkit


def convert(conversion: Conversion, lease: Lease) -> Keep:
    """Run the toolkit and store what it made; the rows are written when the job ends."""
    toolkit = get_toolkit(conversion.recipe.value.toolkit)
    root = Path(settings.WORK_DIR) / "jobs"
    with JobFolder(root, f"conversion-{conversion.pk}-{lease.fence.attempt}", lease.log) as folder:
        fill(folder, conversion)
        made = toolkit.convert(folder, report_to(lease), lease.is_lost)
        lease.stage("storing")
        fields = store_conversion(conversion, made)
    return partial(keep_artifact, conversion, fields)


def fill(folder: JobFolder, conversion: Conversion) -> None:
    """The job's settings and input files (contract: ARCHITECTURE.md, "Toolkit job convert")."""
    calibration, samples = conversion.calibration, conversion.samples
    source = "source" + Path(conversion.source.filename).suffix.lower()[:12]
    folder.add(source, files.existing(conversion.source.sha256))
    folder.add("calibration.safetensors", files.existing(calibration.inspection.samples_sha256))
    folder.add("evaluation.safetensors", files.existing(samples.inspection.samples_sha256))
    folder.write_job(
        {
            "kind": "convert",
            "source": source,
            "calibration": "calibration.safetensors",
            "evaluation": "evaluation.safetensors",
            "sample": conversion.sample,
            "layout": {"calibration": calibration.sample_layout, "evaluation": samples.sample_layout},
            "recipe": conversion.recipe.settings,
        }
    )
