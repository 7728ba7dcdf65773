"""What the pages show: findings that say the same about many layers in one row, and sums per source."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dashboard.lint.evidence import evidence_of
from dashboard.lint.findings import Counts, Finding, Target
from dashboard.lint.services import Linted, graphs_of, linted
from dashboard.lint.targets import summary_targets
from dashboard.registry.models import ModelVersion, Source

LAYERS_SHOWN = 24
ROWS_SHOWN = 400


@dataclass(frozen=True)
class FindingRow:
    """One finding and every layer that it is about; `more` layers are not listed."""

    finding: Finding
    layers: tuple[str, ...]
    more: int


@dataclass(frozen=True)
class Sum:
    """How many findings of each severity a source has for a target; None while its layers are not known."""

    target: Target
    counts: Counts | None
    why: str


def rows_of(findings: Iterable[Finding]) -> list[FindingRow]:
    """The findings in their order, equal ones together."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for one in findings:
        key = (one.severity, one.code, one.op, one.text, one.advice, one.measured, one.references)
        groups.setdefault(key, []).append(one)
    return [_row(group) for group in groups.values()][:ROWS_SHOWN]


def _row(group: Sequence[Finding]) -> FindingRow:
    layers = [one.layer for one in group if one.layer]
    return FindingRow(group[0], tuple(layers[:LAYERS_SHOWN]), max(0, len(layers) - LAYERS_SHOWN))


def lint_version(
    version: ModelVersion, targets: Sequence[Target], sources: Sequence[Source]
) -> dict[int, list[Linted]]:
    """Every source for every target, by the source's id; two queries, however many sources and layers there are."""
    graphs, evidence = graphs_of(sources), evidence_of(version.project)
    return {
        source.pk: [linted(source, graphs.get(source.pk), target, evidence) for target in targets]
        for source in sources
    }


def attach_sums(version: ModelVersion, sources: Sequence[Source]) -> None:
    """Give each source its `lint_sums` for the version's page; three queries."""
    found = lint_version(version, summary_targets(version), sources)
    for source in sources:
        sums = [Sum(one.target, one.counts if one.graph else None, one.why) for one in found[source.pk]]
        source.lint_sums = sums  # type: ignore[attr-defined]  # for the template
