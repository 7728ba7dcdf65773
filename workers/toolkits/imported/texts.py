"""Text files of an upload: every table that one of our readers knows, whatever the file is called."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from workers.toolkits.imported.accuracy2 import read_map
from workers.toolkits.imported.quantization import NoParameters, TensorScale, read_quantization
from workers.toolkits.imported.rows import ENTIRE, NPU, SINGLE
from workers.toolkits.imported.unpack import Tree
from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.vendor.accuracy_table import AccuracyRow, NoTable, read_accuracy_table
from workers.toolkits.vendor.build_log import read_build_log
from workers.toolkits.vendor.perf_table import NoTimes, read_perf_table

MOST_BYTES = 32 << 20
MOST_TEXTS = 500
MOST_ROWS = 20_000
ORDER = "order.txt"


@dataclass(frozen=True)
class Table:
    """A table that is no accuracy: `kind` is "times", "compiled" or "quantization"; `facts` are its totals."""

    kind: str
    label: str
    origin: str
    rows: list[dict[str, Any]]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Accuracy:
    """An accuracy table: `scope` by the file's name, for a table that has one scope only."""

    origin: PurePosixPath
    scope: str
    rows: Sequence[AccuracyRow]


@dataclass
class Texts:
    """What the texts of an upload say; `read` are the files that said something."""

    accuracy: list[Accuracy] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    scales: list[TensorScale] = field(default_factory=list)
    maps: dict[PurePosixPath, dict[str, str]] = field(default_factory=dict)
    orders: dict[PurePosixPath, list[str]] = field(default_factory=dict)
    read: dict[PurePosixPath, str] = field(default_factory=dict)


def read_texts(tree: Tree) -> Texts:
    """Read the texts among these files; others are passed over. Raises Refused import:too-large."""
    found = Texts()
    for place, path in sorted(tree.items())[:MOST_TEXTS]:
        text = _text(path)
        if text is not None:
            said = [word for reader in READERS if (word := reader(found, place, text))]
            if said:
                found.read[place] = ", ".join(said)
    return found


def _text(path: Path) -> str | None:
    size = path.stat().st_size
    if not 0 < size <= MOST_BYTES:
        return None
    data = path.read_bytes()
    return None if b"\0" in data[:8192] else data.decode("utf-8", errors="replace")


def _order(found: Texts, place: PurePosixPath, text: str) -> str:
    if place.name != ORDER:
        return ""
    found.orders[place] = [line.strip() for line in text.splitlines() if line.strip()]
    return "order of execution"


def _map(found: Texts, place: PurePosixPath, text: str) -> str:
    names = read_map(text)
    if names:
        found.maps[place] = names
    return "map of layer names" if names else ""


def _accuracy(found: Texts, place: PurePosixPath, text: str) -> str:
    try:
        rows = read_accuracy_table(text)
    except NoTable:
        return ""
    _refuse_many(place, rows)
    found.accuracy.append(Accuracy(place, scope_of(place.name), rows))
    return f"accuracy table of {'toolkit 1.x' if '_norm=' in text else 'toolkit2'}, {len(rows)} layers"


def scope_of(name: str) -> str:
    """The scope of a table of 1.x by its file's name [UG 4.3.3]."""
    if "individual" not in name:
        return ENTIRE
    return NPU if "on_npu" in name else SINGLE


def _times(found: Texts, place: PurePosixPath, text: str) -> str:
    try:
        table = read_perf_table(text)
    except NoTimes:
        return ""
    facts = {"total_us": table.total_us, "fps": table.fps}
    rows = [asdict(row) for row in table.rows]
    found.tables.append(Table("times", table.made_by, str(place), rows, facts))
    return f"times of {len(rows)} operations ({table.made_by})"


def _compiled(found: Texts, place: PurePosixPath, text: str) -> str:
    if "Time(us)" in text and any(one.origin == str(place) for one in found.tables):
        return ""  # the runtime's own table has the compiler's title
    log = read_build_log(text)
    if not log.layers and not log.rewrites:
        return ""
    _refuse_many(place, log.layers)
    facts = {
        "memory_kb": log.memory_kb,
        "rewrites": [asdict(rewrite) for rewrite in log.rewrites[:MOST_ROWS]],
    }
    rows = [asdict(layer) for layer in log.layers]
    found.tables.append(Table("compiled", "toolkit2 build log", str(place), rows, facts))
    return f"build log: {len(rows)} compiled layers, {len(log.rewrites)} graph rewrites"


def _quantization(found: Texts, place: PurePosixPath, text: str) -> str:
    try:
        scales = read_quantization(text)
    except NoParameters:
        return ""
    _refuse_many(place, scales)
    found.scales.extend(scales)
    found.tables.append(
        Table("quantization", "quantization parameters", str(place), [asdict(scale) for scale in scales], {})
    )
    return f"quantization of {len(scales)} tensors"


def _refuse_many(place: PurePosixPath, rows: Sequence[object]) -> None:
    if len(rows) > MOST_ROWS:
        raise Refused(
            "import:too-large", f"{str(place)[:200]} has {len(rows)} rows; {MOST_ROWS} are allowed."
        )


Reader = Callable[[Texts, PurePosixPath, str], str]
READERS: tuple[Reader, ...] = (_order, _map, _accuracy, _times, _compiled, _quantization)
