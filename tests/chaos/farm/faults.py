"""The faults, seeded: each strikes one board or its link now and says when that is over."""

import random
import signal
from collections.abc import Callable
from dataclasses import dataclass

from dashboard.supervisor import kernel
from tests.chaos.farm.station import Station

Undo = Callable[[], None]


@dataclass(frozen=True)
class Strike:
    """What was done: it lasts so many seconds, or until `is_spent`; then `undo` ends it."""

    lasts_s: float
    undo: Undo
    is_spent: Callable[[], bool] = lambda: False


def nothing() -> None:
    """There is nothing to undo."""


def cut(station: Station, chance: random.Random) -> Strike:
    """The link breaks."""
    station.proxy.cut()
    return Strike(0, nothing)


def reset(station: Station, chance: random.Random) -> Strike:
    """The link is reset; what was on the way is lost."""
    station.proxy.cut(by_reset=True)
    return Strike(0, nothing)


def away(station: Station, chance: random.Random) -> Strike:
    """The board cannot be reached for a while."""
    station.proxy.is_refusing = True
    station.proxy.cut()
    return Strike(chance.uniform(0.5, 25), lambda: setattr(station.proxy, "is_refusing", False))


def stall(station: Station, chance: random.Random) -> Strike:
    """Nothing comes through, in either direction, and nobody is told."""
    station.proxy.is_stalled = True
    return Strike(chance.uniform(1, 45), lambda: setattr(station.proxy, "is_stalled", False))


def slow(station: Station, chance: random.Random) -> Strike:
    """A link of a few kilobytes a second."""
    station.proxy.rate = chance.uniform(2_000, 20_000)
    return Strike(chance.uniform(3, 15), lambda: setattr(station.proxy, "rate", None))


def damage(station: Station, chance: random.Random) -> Strike:
    """A byte on its way down is changed; SSH notices and gives the connection up."""
    proxy = station.proxy
    proxy.corrupt_down_at = proxy.downs[-1] + chance.randrange(2000) if proxy.downs else 0
    return Strike(20, lambda: setattr(proxy, "corrupt_down_at", None), lambda: proxy.corrupt_down_at is None)


def stop(station: Station, chance: random.Random) -> Strike:
    """The whole board stands still."""
    station.signal(signal.SIGSTOP)
    return Strike(chance.uniform(1, 45), lambda: station.signal(signal.SIGCONT))


def kill(station: Station, chance: random.Random) -> Strike:
    """The board's power fails; it comes back some seconds later."""
    station.kill()
    return Strike(chance.uniform(0.5, 15), station.start)


def kill_run(station: Station, chance: random.Random) -> Strike | None:
    """What executes the network is killed; None while nothing does."""
    found = station.executing()
    if not found:
        return None
    for pid in found:
        kernel.kill(pid, signal.SIGKILL)
    return Strike(0, nothing)


KINDS: dict[str, Callable[[Station, random.Random], Strike | None]] = {
    "link cut": cut,
    "link reset": reset,
    "board out of reach": away,
    "link stalled": stall,
    "link slow": slow,
    "link damages": damage,
    "board stopped": stop,
    "board killed": kill,
    "NPU program killed": kill_run,
}


def plan(count: int, chance: random.Random, only: str = "") -> list[str]:
    """Every kind about equally often, in random order; `only` some of them when it names any."""
    chosen = only.split(",") if only else list(KINDS)
    kinds = (chosen * (count // len(chosen) + 1))[:count]
    chance.shuffle(kinds)
    return kinds
