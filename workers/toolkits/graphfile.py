"""What the inspection's child wrote down of a model's graph, checked before it is believed."""

from typing import Any

from dashboard.lint.graph import graph_of
from workers.errors import JobError
from workers.jobfolder import JobFolder

FILE = "graph.json"
MOST_BYTES = 16 << 20


def read_graph(folder: JobFolder) -> dict[str, Any] | None:
    """The graph in the job's folder, None when the inspection told none. Raises JobError toolkit:bad-result."""
    if not (folder.path / FILE).exists():
        return None
    told = folder.read_map(FILE, MOST_BYTES)
    try:
        graph_of(told)
    except ValueError as error:
        raise JobError("toolkit:bad-result", str(error)) from error
    return told
