"""Read an import in a limited child, and keep its dumps, scores and tables."""

from functools import partial
from pathlib import Path

from django.conf import settings

from dashboard import files
from dashboard.imports.models import Import
from dashboard.imports.services import keep_import, store_dumps
from similarity.dumpfile import DamagedFile
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.lease import Lease
from workers.lifecycle import Keep
from workers.steps.events import report_to
from workers.toolkits.importing import read_import


def import_(job: Import, lease: Lease) -> Keep:
    """Open the upload and store its dumps; the rows are written, and comparisons asked for, when the job ends."""
    root, label = Path(settings.WORK_DIR) / "jobs", f"import-{job.pk}-{lease.fence.attempt}"
    reference = job.reference
    with JobFolder(root, label, lease.log) as folder:
        found = read_import(
            folder,
            files.existing(job.sha256),
            job.filename,
            max_bytes=settings.MAX_IMPORT_BYTES,
            reference=files.existing(reference.sha256) if reference else None,
            on_event=report_to(lease),
            should_stop=lease.is_lost,
        )
        lease.stage("storing")
        try:
            dumps = store_dumps(job.project, found)
        except DamagedFile as error:
            raise JobError("toolkit:bad-result", f"A dump is damaged: {error}") from error
    return partial(keep_import, job, found, dumps)
