"""Reading an import in a limited child (import_job), and believing of its result only what can be true."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dashboard.imports.found import Found, FoundDump, FoundScore, FoundTable
from dashboard.imports.models import Scope, TableKind
from dashboard.layers.models import Rung
from similarity.dumpfile import DamagedFile, DumpFile
from workers.errors import Died, JobError
from workers.jobfolder import JobFolder
from workers.toolkits.jobs import import_limits, run_script

MOST_ROWS = 20_000
LONGEST = 300
NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?(?:e[-+]?\d+)?|inf|nan)", re.IGNORECASE)
PRINTED = ("cosine", "euclidean", "euclidean_norm")
COLUMNS = {
    TableKind.TIMES: {"name": str, "op": str, "target": str, "uid": int, "time_us": float},
    TableKind.COMPILED: {
        "op": str, "dtype": str, "target": str, "output_shape": str, "name": str, "rw_kb": float,
        "ddr_cycles": int, "npu_cycles": int, "total_cycles": int,
    },
    TableKind.QUANTIZATION: {
        "name": str, "dtype": str, "method": str, "channels": int, "scale": float, "zero_point": int, "low": float,
        "high": float,
    },
}  # fmt: skip
LARGEST = {int: 1 << 53, float: 1e38}


def read_import(
    folder: JobFolder,
    upload: Path,
    uploaded_name: str,
    *,
    max_bytes: int,
    reference: Path | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Found:
    """What the upload holds; its dumps lie in `folder`, opened and checked. Raises JobError import:*, data:unsafe-path.

    `reference` is a dump that names a runtime's layer files and decides the order of their axes.
    """
    folder.add("upload", upload)
    if reference is not None:
        folder.add("reference.safetensors", reference)
    folder.write_job(
        {
            "kind": "import",
            "upload": "upload",
            "uploaded_name": uploaded_name,
            "max_bytes": max_bytes,
            "reference": "reference.safetensors" if reference is not None else None,
        }
    )
    try:
        result = run_script(
            "import_job", folder, limits=import_limits(), on_event=on_event, should_stop=should_stop
        )
    except JobError as error:
        raise as_import_error(error) from error
    try:
        return checked(folder, result)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise JobError("toolkit:bad-result", f"The import's result is odd: {error!r}") from error


def as_import_error(error: JobError) -> JobError:
    """A reading that dies of its limits says something about the upload, not about a toolkit."""
    if error.code in ("toolkit:timed-out", "toolkit:out-of-memory", "toolkit:disk-full"):
        return JobError("import:too-large", error.detail)
    if error.code == "toolkit:crashed":
        return Died("import:damaged", error.detail)
    if error.code == "toolkit:failed":
        return JobError("import:damaged", error.detail)
    return error


def checked(folder: JobFolder, result: dict[str, Any]) -> Found:
    """The child's result as a value. Raises JobError toolkit:bad-result, import:too-large, or what odd values raise."""
    rows = sum(len(table["rows"]) for table in result["tables"]) + len(result["scores"])
    if rows > 3 * MOST_ROWS:
        raise JobError("import:too-large", f"It has {rows} rows in all; {3 * MOST_ROWS} are allowed.")
    return Found(
        dumps=tuple(_dump(folder, entry) for entry in result["dumps"]),
        scores=tuple(_score(entry) for entry in result["scores"]),
        tables=tuple(_table(entry) for entry in result["tables"]),
        parts=[{name: _text(part[name], 400) for name in ("where", "what")} for part in result["parts"]],
        ignored={
            "count": int(result["ignored"]["count"]),
            "names": [_text(name) for name in result["ignored"]["names"]],
        },
    )


def _dump(folder: JobFolder, entry: dict[str, Any]) -> FoundDump:
    file = folder.file(entry["file"])
    try:
        with DumpFile.open(file) as dump:
            rung = Rung(dump.rung)
    except DamagedFile as error:
        raise JobError("toolkit:bad-result", f"A dump is damaged: {error}") from error
    if rung != entry["rung"] or dump.simulated:
        raise JobError("toolkit:bad-result", f"The dump of {entry['rung']!r} calls itself {rung!r}.")
    return FoundDump(file, _text(entry["origin"], 200))


def _score(entry: dict[str, Any]) -> FoundScore:
    printed = {name: text for name, text in entry["printed"].items() if name in PRINTED}
    if odd := [text for text in printed.values() if not NUMBER.fullmatch(text) or len(text) > 40]:
        raise ValueError(f"{odd[0]!r:.60} is no printed number")
    return FoundScore(
        scope=Scope(entry["scope"]),
        name=_text(entry["name"]),
        op=_text(entry["op"], 60),
        dtype=_text(entry["dtype"], 20),
        printed=printed,
        key=_text(entry["key"]),
        shape=tuple(_number(side, int) or 0 for side in entry["shape"][:16]),
    )


def _table(entry: dict[str, Any]) -> FoundTable:
    kind = TableKind(entry["kind"])
    rows = [{name: _cell(row[name], of) for name, of in COLUMNS[kind].items()} for row in entry["rows"]]
    return FoundTable(
        kind, _text(entry["label"], 80), _text(entry["origin"], 200), rows, _facts(kind, entry["facts"])
    )


def _facts(kind: TableKind, facts: dict[str, Any]) -> dict[str, Any]:
    if kind == TableKind.TIMES:
        return {name: _number(facts[name], float) for name in ("total_us", "fps")}
    if kind == TableKind.COMPILED:
        rewrites = [
            {
                "rule": _text(entry["rule"], 100),
                "removed": [_text(name) for name in entry["removed"][:100]],
                "added": [_text(name) for name in entry["added"][:100]],
            }
            for entry in facts["rewrites"]
        ]
        memory = {name: _number(facts["memory_kb"].get(name), float) for name in ("internal", "weight")}
        return {"rewrites": rewrites, "memory_kb": memory}
    return {}


def _cell(value: Any, kind: type) -> Any:
    return _text(value) if kind is str else _number(value, kind)


def _number(value: Any, kind: type) -> Any:
    """A finite number that the database can hold, or None."""
    if value is None:
        return None
    number = kind(value)
    if not abs(number) <= LARGEST[kind]:
        raise ValueError(f"{value!r:.60} is no number that can be stored")
    return number


def _text(value: Any, longest: int = LONGEST) -> str:
    """A text that can be stored and shown."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} is no text")
    return "".join(mark if mark.isprintable() else "_" for mark in value)[:longest]
