"""Verbs of layers: keep a dump, request a comparison, keep its scores, read them back for a verdict."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dashboard import files
from dashboard.jobs.models import State
from dashboard.layers.models import Comparison, Dump, LayerScore
from dashboard.projects.models import Project
from similarity.compare import Comparison as Compared
from similarity.compare import LayerComparison
from similarity.dumpfile import DumpFile, LayerInfo
from similarity.metrics import Scores

NUMBERS = (
    "cosine euclidean euclidean_norm relative_l2 sqnr_db gain max_abs mean_abs lsb_max lsb_p999 saturated order_free"
).split()
COUNTS = ("nonfinite_reference", "nonfinite_candidate")


def store_dump(project: Project, path: Path) -> Dump:
    """Put a dump file into the store; the row is returned unsaved. Raises similarity.dumpfile.DamagedFile."""
    with DumpFile.open(path) as dump:
        layers = [asdict(layer) for layer in dump.layers]
        rung, simulated = dump.rung, dump.simulated
    stored = files.put_path(path)
    return Dump(
        project=project, rung=rung, simulated=simulated, sha256=stored.sha256, size=stored.size, layers=layers
    )


def request_comparison(reference: Dump, candidate: Dump, user: Any = None) -> Comparison:
    """The comparison of these two dumps; one that is under way or done already is not made again."""
    comparison, _ = Comparison.objects.filter(
        state__in=[State.QUEUED, State.RUNNING, State.SUCCEEDED]
    ).get_or_create(
        reference=reference,
        candidate=candidate,
        defaults={"project": candidate.project, "created_by": user},
    )
    return comparison
