"""Say what the answers of two boards, or of three, mean."""

from functools import partial

from dashboard.health.judging import Unreadable
from dashboard.health.models import TwinCheck
from dashboard.health.twins import find, keep_finding
from workers.errors import JobError
from workers.lease import Lease
from workers.lifecycle import Keep


def twin(twin: TwinCheck, lease: Lease) -> Keep:
    """Compare the outputs bit by bit; the finding is written when the job ends."""
    lease.stage("comparing outputs")
    try:
        found = find(twin)
    except Unreadable as error:
        raise JobError("system:file-missing", f"Outputs are damaged: {error}") from error
    lease.log(f"{found.outcome}: {found.sentence}\n")
    return partial(keep_finding, twin, found)
