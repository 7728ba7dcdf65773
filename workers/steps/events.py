"""Events of a job's child (JSON lines) become progress on the row; what they hold is checked, not believed."""

from collections.abc import Callable
from typing import Any

from workers.childlog import CONTROLS
from workers.lease import Lease

MOST = 2_000_000_000


def report_to(lease: Lease) -> Callable[[dict[str, Any]], None]:
    """A listener that shows `stage` events as progress and puts `log` events into the log."""

    def listen(event: dict[str, Any]) -> None:
        if event.get("event") == "stage":
            lease.stage(plain(event.get("name"))[:40], count(event.get("done")), count(event.get("total")))
        elif event.get("event") == "log":
            lease.log(plain(event.get("text"))[:10_000].rstrip("\n") + "\n")

    return listen


def plain(value: object) -> str:
    """Text from outside without what no database stores: a NUL would lose the log that stands around it."""
    text = str(value or "").encode(errors="replace").decode()
    return CONTROLS.sub("", text)


def count(value: object) -> int:
    """A progress count from outside: a whole number the database can hold, else 0."""
    return value if isinstance(value, int) and 0 <= value < MOST else 0
