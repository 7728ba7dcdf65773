"""What a run on a board brought home: frozen facts and the local files they speak of."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class BoardInfo:
    """What the agent says of its board: versions, room, and the kinds of NPU it found."""

    version: int
    python: str
    machine: str
    kernel: str
    disk_free_bytes: int
    mem_available_kb: int | None
    boot_id: str
    npus: tuple[str, ...]
    fence: int
    agent: str
    kind: str = "python"
    compressions: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlainRun:
    """The normal execution: microseconds to load, of every iteration, and the outputs (outputs/1).

    `iterations_us` is the runtime's own counter where it has one, `wall_us` always the wall's (empty: not told).
    """

    init_us: float
    iterations_us: tuple[float, ...]
    outputs: Path
    wall_us: tuple[float, ...] = ()


@dataclass(frozen=True)
class LayerTime:
    """Microseconds of one layer; `target` is the unit that executed it, as the board calls it."""

    key: str
    name: str
    op: str
    target: str
    time_us: float


@dataclass(frozen=True)
class TimedRun:
    """The instrumented execution: microseconds of the whole and of each layer, in execution order.

    `reason` says why there are no layers.
    """

    total_us: float
    layers: tuple[LayerTime, ...]
    reason: str = ""


@dataclass(frozen=True)
class LayerFiles:
    """What NN_LAYER_DUMP left, as it came: `folder` holds the files, `listed` is the result's own list of them.

    `reason` says why there are none.
    """

    folder: Path
    listed: dict[str, Any]
    reason: str = ""

    @property
    def is_dumped(self) -> bool:
        """Is there any layer? A precompiled artifact has none."""
        return bool(self.listed["files"])


@dataclass(frozen=True)
class SequenceCheck:
    """One check of the sequence mode: executions whose outputs differ from the first, and hangs among `runs`."""

    name: str
    runs: int
    differing: tuple[int, ...]
    max_difference: float | None
    hangs: int
    median_us: float


@dataclass(frozen=True)
class Fingerprint:
    """The board's state before the first and after the last mode (see boardagent/sysinfo.py)."""

    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True)
class RunResult:
    """Everything one run gave; a mode not asked for is None.

    `dump` is the file of layers (dump/1), or the vendor's files from which one is made.
    """

    plain: PlainRun | None
    timed: TimedRun | None
    dump: Path | LayerFiles | None
    fingerprint: Fingerprint
    simulated: bool
    agent: str
    sequence: tuple[SequenceCheck, ...] | None = None
