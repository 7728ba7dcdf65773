"""Verbs of lint: keep a source's graph, inspect an old source again, find what its target will make of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from dashboard.jobs.models import ENDED
from dashboard.lint.correcting import corrected
from dashboard.lint.evidence import Evidence
from dashboard.lint.findings import Counts, Finding, Target
from dashboard.lint.graph import Graph, graph_of
from dashboard.lint.models import SourceGraph
from dashboard.lint.rules import lint
from dashboard.projects.services import record
from dashboard.registry.formats import Format
from dashboard.registry.models import Inspection, Source

TELLING = (Format.ONNX, Format.TORCHSCRIPT)  # formats of which an inspection tells the layers


@dataclass(frozen=True)
class Linted:
    """A source and what lint found; `graph` is None and `why` says the reason when its layers are not known."""

    source: Source
    target: Target
    graph: Graph | None
    findings: tuple[Finding, ...] = ()
    why: str = ""

    @property
    def counts(self) -> Counts:
        return Counts.of(self.findings)


def keep_graph(source: Source, told: Mapping[str, Any]) -> None:
    """Store what the inspection wrote down of the source's graph. Raises ValueError for what is no such map."""
    graph_of(told)
    SourceGraph.objects.update_or_create(source=source, defaults={"told": told})


def inspect_again(source: Source, user: Any) -> bool:
    """Queue another inspection of a source whose last one has ended; whether one was queued."""
    with transaction.atomic():
        ended = Inspection.objects.select_for_update().filter(source=source, state__in=ENDED)
        if not ended.delete()[0]:
            return False
        Inspection.objects.create(project=source.project, created_by=user, source=source)
        record("source.inspected-again", project=source.project, user=user, subject=str(source))
    return True


def graphs_of(sources: Iterable[Source]) -> dict[int, Graph]:
    """The graphs of these sources by the sources' ids, in one query; those without one are left out."""
    rows = SourceGraph.objects.filter(source__in=[source.pk for source in sources])
    return {source: graph_of(told) for source, told in rows.values_list("source_id", "told")}


def linted(source: Source, graph: Graph | None, target: Target, evidence: Evidence) -> Linted:
    """What the rules find in the source for this target, corrected by what happened in its project."""
    if graph is None:
        return Linted(source, target, None, why=_why(source))
    found = corrected(lint(graph, target), evidence, source.sha256, target)
    return Linted(source, target, graph, tuple(found))


def _why(source: Source) -> str:
    inspection: Inspection | None = getattr(source, "inspection", None)
    if inspection is not None and not inspection.has_ended:
        return "The file is being inspected."
    if inspection is None or not inspection.is_good:
        return "The file was not inspected with success, so its layers are not known."
    if source.format == Format.RKNN:
        return "The file is compiled already: there is nothing to be found before converting."
    if source.format in TELLING:
        return "The file was inspected before Layerwise kept its layers: inspect it again."
    return "The inspection of this format does not tell its layers."


def may_be_inspected_again(source: Source) -> bool:
    """Whether another inspection would bring the layers of a source that has none."""
    inspection: Inspection | None = getattr(source, "inspection", None)
    return inspection is not None and inspection.is_good and source.format in TELLING
