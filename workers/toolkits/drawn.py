"""The histograms that a job announces, opened and checked before they count."""

from pathlib import Path
from typing import Any

from dashboard.conversions.histograms import DrawnHistogram, Shows
from similarity.dumpfile import DumpFile
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits.pictures import MOST_BYTES, MOST_PICTURES, NoPicture, size_of

LONGEST = 300  # characters of a name


def drawn(folder: JobFolder, result: dict[str, Any], dump: Path) -> tuple[DrawnHistogram, ...]:
    """Those of `result`, each with the layer of the `dump` that it shows. Raises JobError toolkit:bad-result."""
    announced = result.get("histograms", [])
    if not isinstance(announced, list) or len(announced) > MOST_PICTURES:
        raise _bad(f"Histograms are a list of at most {MOST_PICTURES}.")
    if not announced:
        return ()
    with DumpFile.open(dump) as opened:
        layers = [(layer.key, layer.name) for layer in opened.layers]
    return tuple(_one(folder, entry, layers) for entry in announced)


def _one(folder: JobFolder, entry: Any, layers: list[tuple[str, str]]) -> DrawnHistogram:
    try:
        place, port = entry["layer"], entry["port"]
        if not _is_number(port) or not (place is None or _is_number(place)):
            raise ValueError(f"layer {place!r:.40}, port {port!r:.40}")
        key, name = ("", str(entry["name"])) if place is None else layers[place]
        if not 0 < len(name) <= LONGEST or not name.isprintable() or len(key) > LONGEST:
            raise ValueError(f"the name {name!r:.60}")
        width, height = size_of(folder.read(entry["file"], MOST_BYTES))
        return DrawnHistogram(
            folder.file(entry["file"]), key, name, Shows(entry["shows"]), port, width, height
        )
    except (KeyError, IndexError, TypeError, ValueError, NoPicture) as error:
        raise _bad(f"A histogram is damaged: {type(error).__name__}: {error}") from error


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 20


def _bad(detail: str) -> JobError:
    return JobError("toolkit:bad-result", detail)
