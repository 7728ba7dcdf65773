"""Compare two dumps, layer by layer, straight from the store's files."""

from dashboard import files
from dashboard.layers.models import Comparison
from dashboard.layers.services import keep_scores
from similarity.compare import compare_dumps
from similarity.dumpfile import DamagedFile, DumpFile
from workers.errors import JobError
from workers.lease import Lease
from workers.lifecycle import Keep


def compare(comparison: Comparison, lease: Lease) -> Keep:
    """Score every aligned pair of layers; the rows are written when the job ends."""

    def on_progress(done: int, total: int) -> None:
        lease.check()
        lease.stage("comparing layers", done, total)

    reference, candidate = comparison.reference.sha256, comparison.candidate.sha256
    try:
        with DumpFile.open(files.existing(reference)) as a, DumpFile.open(files.existing(candidate)) as b:
            result = compare_dumps(a, b, on_progress)
    except DamagedFile as error:
        raise JobError("system:file-missing", f"A dump is damaged: {error}") from error
    return lambda: keep_scores(comparison, result)
