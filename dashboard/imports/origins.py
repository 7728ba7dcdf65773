"""Where dumps come from, in words: an import, a conversion or a run. A fixed number of queries."""

from collections.abc import Sequence

from django.db.models import Q

from dashboard.boards.models import RunResult
from dashboard.conversions.models import Artifact
from dashboard.imports.models import ImportedDump
from dashboard.layers.models import Dump
from dashboard.projects.models import Project

NEWEST = 200
RUNGS = ("framework", "converted", "quantized")


def choices(project: Project) -> list[tuple[int, str]]:
    """The project's newest dumps with a sentence on each."""
    dumps = list(Dump.objects.in_project(project).defer("layers").order_by("-pk")[:NEWEST])
    told = origins(dumps)
    return [(dump.pk, f"{dump.pk}: {dump.label}{told.get(dump.pk, '')}") for dump in dumps]


def origins(dumps: Sequence[Dump]) -> dict[int, str]:
    """Dump id -> ", of ..."; nothing for a dump that nobody claims."""
    ids = [dump.pk for dump in dumps]
    found = {}
    for one in ImportedDump.objects.filter(dump__in=ids).select_related("imported").defer("imported__log"):
        found[one.dump_id] = f", {one.imported.name} {one.origin}"
    wanted = Q(framework__in=ids) | Q(converted__in=ids) | Q(quantized__in=ids)
    artifacts = Artifact.objects.filter(wanted).select_related("conversion__source__version__model")
    for artifact in artifacts.defer("conversion__log"):
        for rung in RUNGS:
            found.setdefault(getattr(artifact, f"{rung}_id"), f", {artifact.conversion.source}")
    for result in RunResult.objects.filter(dump__in=ids).only("dump_id", "run_id"):
        found[result.dump_id] = f", run {result.run_id}"
    return found
