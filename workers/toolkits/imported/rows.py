"""Rows of the vendor's accuracy tables, whatever toolkit printed them, under the names of our own scores."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from workers.toolkits.vendor.accuracy_table import AccuracyRow

# ours -> the vendor's words, the first that a row has; 1.x up to 1.7.1 prints both the normalized and the other ones
WORDS = {
    "cosine": ("cos", "cosine_norm", "cosine"),
    "euclidean": ("euc", "eculidean"),
    "euclidean_norm": ("eculidean_norm",),
}
ENTIRE, SINGLE, NPU = "entire", "single", "npu"
RUNG_OF = {ENTIRE: "quantized", SINGLE: "quantized-isolated", NPU: "board-isolated"}


@dataclass(frozen=True)
class VendorScore:
    """One layer of one table. `scope`: the whole quantized chain, each layer alone, each layer alone on the board.

    `printed` maps names of our scores to the text that the vendor printed; empty for a layer that was fused away. `key`
    is the layer's in the imported dumps, "" where there is none.
    """

    scope: str
    name: str
    op: str
    dtype: str
    printed: Mapping[str, str]
    key: str = ""
    shape: tuple[int, ...] = ()


def printed_of(words: Mapping[str, str]) -> dict[str, str]:
    """A row's numbers under our names."""
    found = {}
    for ours, theirs in WORDS.items():
        text = next((words[word] for word in theirs if word in words), None)
        if text is not None:
            found[ours] = text[:40]
    return found


def by_scope(rows: Iterable[AccuracyRow], scope: str) -> dict[str, list[tuple[AccuracyRow, dict[str, str]]]]:
    """The table's rows by scope: toolkit2 prints two scopes beside each other, 1.x one (`scope`) a file.

    A table says something of a scope when any of its rows does; then its blank rows are blank there too.
    """
    table = list(rows)
    found: dict[str, list[tuple[AccuracyRow, dict[str, str]]]] = {}
    for column, name in ((ENTIRE, scope), (SINGLE, SINGLE)):
        if any(row.printed.get(column) for row in table):
            found[name] = [(row, printed_of(row.printed.get(column, {}))) for row in table]
    return found
