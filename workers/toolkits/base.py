"""What a toolkit is to the rest of the house, and which ones this worker has."""

from collections.abc import Callable
from typing import Any, Protocol

from dashboard.conversions.services import Converted
from workers.errors import JobError
from workers.jobfolder import JobFolder


class Toolkit(Protocol):
    """Turns a source into an artifact. `platforms`, `dtypes` and `algorithms` are what a recipe may name."""

    name: str
    platforms: tuple[str, ...]
    dtypes: tuple[str, ...]
    algorithms: tuple[str, ...]

    def version(self) -> str:
        """The version of what does the work, for recipes and pages."""

    def convert(
        self, folder: JobFolder, on_event: Callable[[dict[str, Any]], None], should_stop: Callable[[], bool]
    ) -> Converted:
        """Carry out the job.json and input files in `folder`. Raises JobError, or LeaseLost when
        `should_stop` said so."""


def toolkits() -> dict[str, Toolkit]:
    """The toolkits that this worker has, by name."""
    from workers.toolkits.reference import ReferenceToolkit

    return {"reference": ReferenceToolkit()}


def get_toolkit(name: str) -> Toolkit:
    """The toolkit called `name`. Raises JobError recipe:no-toolkit."""
    known = toolkits()
    if name not in known:
        raise JobError("recipe:no-toolkit", f"{name!r}; this worker has {', '.join(sorted(known))}.")
    return known[name]
