"""What the newest build of a source really became, and how long its layers took on a board."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dashboard import files
from dashboard.boards.models import RunResult
from dashboard.conversions.models import Artifact
from dashboard.lint.findings import Target
from dashboard.registry.models import Source

MOST_BYTES = 16 << 20
ENDS = ("InputOperator", "OutputOperator")


@dataclass(frozen=True)
class Row:
    """A layer of the compiler's table: its operator after fusion, its unit, its name as printed (`Conv:/body/Conv`)."""

    op: str
    unit: str
    name: str

    def is_of(self, names: frozenset[str]) -> bool:
        """Whether the row is about one of these nodes."""
        return self.name.partition(":")[2] in names


@dataclass(frozen=True)
class Time:
    """A layer's time on a board in microseconds, and the unit that did it."""

    us: float
    unit: str


@dataclass(frozen=True)
class Built:
    """A conversion of a file for a target: the rules that fired by the nodes that they took, the compiler's layers,
    and each source node's time in the newest timed run."""

    conversion: int
    toolkit_version: str
    rules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    follows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    times: Mapping[str, Time] = field(default_factory=dict)
    run: int = 0
    board: str = ""
    simulated: bool = False
    total_us: float = 0.0

    @property
    def fired(self) -> list[tuple[str, int]]:
        """Each rule with the number of nodes that it took, the most frequent first."""
        return Counter(rule for rules in self.rules.values() for rule in rules).most_common(30)

    @property
    def units(self) -> list[tuple[str, int]]:
        """How many layers each unit has, without the ends of the graph."""
        return Counter(row.unit for row in self.rows if row.op not in ENDS).most_common()

    @property
    def on_cpu(self) -> tuple[Row, ...]:
        """Layers of the network that the compiler gave to the CPU, without the ends of the graph."""
        return tuple(row for row in self.rows if row.unit == "CPU" and row.op not in ENDS)

    def row_of(self, node: str) -> Row | None:
        """The compiled layer of this source node, followed through the rewrites."""
        names = frozenset(self._names(node))
        return next((row for row in self.rows if row.is_of(names)), None)

    def _names(self, node: str) -> set[str]:
        found, new = {node}, {node}
        while new:
            new = {added for name in new for added in self.follows.get(name, ())} - found
            found |= new
        return found


def built_of(source: Source, target: Target) -> Built | None:
    """The newest build of the source's file for the target in its project, None when there is none; two queries."""
    artifact = (
        Artifact.objects.filter(
            conversion__project=source.project,
            conversion__source__sha256=source.sha256,
            conversion__recipe__settings__toolkit=target.toolkit,
            conversion__recipe__settings__platform=target.platform,
            conversion__recipe__settings__dtype=target.dtype,
        )
        .select_related("quantized")
        .order_by("-pk")
        .first()
    )
    if artifact is None:
        return None
    timed = (
        RunResult.objects.filter(run__artifact=artifact)
        .exclude(timed_layers=[])
        .select_related("run__board")
        .defer("run__log")
        .order_by("-pk")
        .first()
    )
    return built_from(artifact, timed, _facts(artifact.build_facts_sha256))


def built_from(artifact: Artifact, timed: RunResult | None, facts: Mapping[str, Any]) -> Built:
    """The build of an artifact out of its rows and its build facts."""
    rules: dict[str, tuple[str, ...]] = {}
    follows: dict[str, tuple[str, ...]] = {}
    for rewrite in facts.get("rewrites", ()):
        for name in map(str, rewrite["removed"]):
            rules[name] = (*rules.get(name, ()), str(rewrite["rule"]))
            follows[name] = (*follows.get(name, ()), *map(str, rewrite["added"]))
    rows = tuple(Row(str(row["op"]), str(row["target"]), str(row["name"])) for row in facts.get("layers", ()))
    common: dict[str, Any] = {"rules": rules, "follows": follows, "rows": rows}
    if timed is not None:
        board = timed.run.board
        common |= {
            "times": _times(artifact.quantized.layers if artifact.quantized else [], timed.timed_layers),
            "run": timed.run_id,
            "board": board.name if board else "a board",
            "simulated": timed.simulated,
            "total_us": sum(float(layer["time_us"]) for layer in timed.timed_layers),
        }
    return Built(artifact.conversion_id, artifact.toolkit_version, **common)


def _times(layers: list[Mapping[str, Any]], timed: list[Mapping[str, Any]]) -> dict[str, Time]:
    """Times by the name of each node that a layer contains."""
    by_key = {
        str(layer["key"]): Time(float(layer["time_us"]), str(layer.get("target", ""))) for layer in timed
    }
    return {
        str(node): by_key[str(layer["key"])]
        for layer in layers
        if str(layer.get("key")) in by_key
        for node in (layer.get("sources") or [layer.get("name", "")])
    }


def _facts(sha256: str) -> Mapping[str, Any]:
    """The stored build facts, {} when there are none or they cannot be read now."""
    if not sha256:
        return {}
    try:
        with files.opened(sha256) as stream:
            found = json.loads(stream.read(MOST_BYTES))
    except (files.Missing, files.StoreAway, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
