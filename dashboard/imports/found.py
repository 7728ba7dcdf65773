"""What a worker found in an import: values that cross from the worker to the verbs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class FoundDump:
    """A dump file, opened and checked; `origin` is the folder of the upload that it was made of."""

    file: Path
    origin: str


@dataclass(frozen=True)
class FoundScore:
    """A row of a vendor's table; `printed` maps names of our scores to the vendor's own text ("0.99998")."""

    scope: str
    name: str
    op: str
    dtype: str
    printed: Mapping[str, str]
    key: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class FoundTable:
    """A table of times, of compiled layers or of quantization; `kind` is one of TableKind."""

    kind: str
    label: str
    origin: str
    rows: list[dict[str, Any]]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Found:
    """Everything that an import holds. `parts` are {"where", "what"}; `ignored` is {"count", "names"}."""

    dumps: tuple[FoundDump, ...]
    scores: tuple[FoundScore, ...]
    tables: tuple[FoundTable, ...]
    parts: list[dict[str, str]]
    ignored: dict[str, Any]
