"""What a toolkit is to the rest of the house, and which ones this worker has."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from dashboard.conversions.offered import Offered, missing, newest_first
from dashboard.conversions.offers import TOOLKITS
from dashboard.conversions.recipe import RecipeSettings
from dashboard.conversions.services import Converted
from workers.errors import JobError
from workers.jobfolder import JobFolder


class Toolkit(Protocol):
    """Turns a source into an artifact. `offered` is what its probe found: its version, and what a recipe may name."""

    name: str
    offered: Offered

    def convert(
        self, folder: JobFolder, on_event: Callable[[dict[str, Any]], None], should_stop: Callable[[], bool]
    ) -> Converted:
        """Carry out the job.json and input files in `folder`. Raises JobError, or LeaseLost when
        `should_stop` said so."""


def toolkits(names: Collection[str] = TOOLKITS) -> list[Toolkit]:
    """Every version of these toolkits that this worker has, newest first. Each is probed once (see probing.py)."""
    from workers.toolkits import ready, reference, rknn1, rknn2

    finders: dict[str, Callable[[], Sequence[Toolkit]]] = {
        "reference": reference.here,
        "rknn1": rknn1.here,
        "rknn2": rknn2.here,
        "ready": ready.here,
    }
    found = [toolkit for name in names if name in finders for toolkit in finders[name]()]
    order = newest_first(toolkit.offered for toolkit in found)
    return sorted(found, key=lambda toolkit: order.index(toolkit.offered))


def get_toolkit(recipe: RecipeSettings, source: str = "") -> Toolkit:
    """The newest toolkit here that can carry out the recipe on a source of this format (empty: whatever it is).

    Raises JobError recipe:no-toolkit.
    """
    here = toolkits([recipe.toolkit])
    for toolkit in here:
        if toolkit.offered.serves(recipe, source):
            return toolkit
    raise JobError("recipe:no-toolkit", missing(recipe, [toolkit.offered for toolkit in here], source))


def can_do(recipe: RecipeSettings, source: str = "") -> bool:
    """Can this worker carry out the recipe on a source of this format (empty: whatever it is)?"""
    return any(toolkit.offered.serves(recipe, source) for toolkit in toolkits([recipe.toolkit]))
