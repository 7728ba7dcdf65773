"""What lint says: a finding about one layer or about the whole source, and where each fact comes from."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """ERROR: the toolkit will probably refuse the source. WARNING: it converts, but may be wrong or slow on the
    board. NOTE: worth knowing, nothing is lost."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


RANKS = {severity: number for number, severity in enumerate(Severity)}


@dataclass(frozen=True)
class Reference:
    """Where a fact stands. `kind` is "vendor" (a document of the vendor), "field" (a report from practice), "tried"
    (tried with the real toolkit for Layerwise) or "reasoned" (concluded from the others)."""

    document: str
    section: str = ""
    kind: str = "vendor"

    def __str__(self) -> str:
        return f"{self.document}, {self.section}" if self.section else self.document


@dataclass(frozen=True)
class Target:
    """What a source would be converted for."""

    toolkit: str
    platform: str
    dtype: str

    def __str__(self) -> str:
        return f"{self.toolkit} {self.platform} {self.dtype}"


@dataclass(frozen=True)
class Finding:
    """`layer` is the source's name of the node, "" for the whole source. `measured` says what was seen in this
    project, "" when nothing was; `corrected` holds the severity that the rules alone would give, when that differs.
    """

    code: str
    severity: Severity
    layer: str
    op: str
    text: str
    advice: str = ""
    references: tuple[Reference, ...] = ()
    other_route: str = ""
    measured: str = ""
    corrected: str = ""
    names: tuple[str, ...] = field(
        default=(), compare=False
    )  # of the layer's tensors, to find what was measured


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first; among equals in the order of the graph."""
    return sorted(findings, key=lambda finding: RANKS[finding.severity])


@dataclass(frozen=True)
class Counts:
    """How many findings of each severity there are."""

    error: int = 0
    warning: int = 0
    note: int = 0

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> "Counts":
        found = [finding.severity for finding in findings]
        return cls(*(found.count(severity) for severity in Severity))
