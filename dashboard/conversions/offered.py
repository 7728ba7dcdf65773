"""What living workers offer now: which versions of which toolkits, and what of a recipe nobody has.

A worker registers with its signs of life what the probes of its toolkits found. Whatever stands there was written by
another process, perhaps of another release: it is read with bounds, and only what this site knows counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.conversions.offers import (
    HOW_TO_ADD,
    HOW_TO_ADD_PACKAGE,
    NEEDS,
    OFFERS,
    VERSION,
    Offer,
    queue_of,
)
from dashboard.conversions.recipe import RecipeSettings
from dashboard.jobs.models import Heartbeat
from dashboard.jobs.services import alive

SCHEMA = 1
MOST_OFFERS = 16  # of one worker
MOST_WORDS = 200
TITLE_CHARACTERS = 80  # as many as an artifact keeps


class BadOffer(ValueError):
    """What a worker or a probe says that it offers makes no sense; the text says why."""


@dataclass(frozen=True)
class Offered:
    """What a worker does with one version of a toolkit; `title` is what its artifacts name as their maker."""

    toolkit: str
    version: str
    title: str
    offer: Offer

    @classmethod
    def from_dict(cls, data: Any) -> "Offered":
        """From JSON of outside: only words of OFFERS are kept. Raises BadOffer when nothing is left."""
        known = isinstance(data, Mapping) and isinstance(data.get("toolkit"), str)
        if not known or data["toolkit"] not in OFFERS:
            raise BadOffer("It names no toolkit that is known here.")
        version, title = data.get("version"), data.get("title")
        if not isinstance(version, str) or not VERSION.fullmatch(version):
            raise BadOffer(f"{version!r:.60} is no version.")
        if not isinstance(title, str) or not title.isprintable() or not 0 < len(title) <= TITLE_CHARACTERS:
            raise BadOffer("Its title is not a line of text.")
        offer = _known(data["toolkit"], data)
        return cls(data["toolkit"], version, title, offer)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, for the worker's sign of life."""
        dtypes = {platform: list(kinds) for platform, kinds in self.offer.dtypes.items()}
        about = {"toolkit": self.toolkit, "version": self.version, "title": self.title}
        algorithms = {dtype: list(words) for dtype, words in self.offer.algorithms.items()}
        return {**about, "dtypes": dtypes, "algorithms": algorithms, "formats": list(self.offer.formats)}

    def serves(self, recipe: RecipeSettings, source: str = "") -> bool:
        """Can this worker carry out the recipe with this version, on a source of this format (if it is known)?"""
        return not missing(recipe, [self], source)

    @property
    def queues(self) -> list[str]:
        """Beside the toolkit's own: of this version, and of the formats that not every worker with it takes."""
        apart = [one for one in self.offer.formats if one in NEEDS.get(self.toolkit, {})]
        formats = [queue_of(self.toolkit, version, one) for one in apart for version in ("", self.version)]
        return [queue_of(self.toolkit, self.version), *formats]


@dataclass(frozen=True)
class Worker:
    """A living worker: since when, when it was last heard of, and what it offers."""

    name: str
    since: datetime
    seen_at: datetime
    offers: tuple[Offered, ...]


def registered(offers: Iterable[Offered]) -> dict[str, Any]:
    """What a worker registers with its signs of life."""
    return {"schema": SCHEMA, "toolkits": [one.as_dict() for one in offers][:MOST_OFFERS]}


def workers() -> list[Worker]:
    """The living workers by name, with what they offer; one query."""
    return [_worker(row) for row in alive("worker").order_by("name")]


def offered() -> list[Offered]:
    """Everything that some living worker offers, newest version first; one query."""
    return newest_first(one for worker in workers() for one in worker.offers)


def newest_first(offers: Iterable[Offered]) -> list[Offered]:
    """By toolkit, and the newest version of each first."""
    order = list(OFFERS)
    by_version = sorted(offers, key=lambda one: _rank(one.version), reverse=True)
    return sorted(by_version, key=lambda one: order.index(one.toolkit))


def missing(recipe: RecipeSettings, offers: Sequence[Offered], source: str = "") -> str:
    """What nobody has of what the recipe asks for, and how to add it; empty when somebody can carry it out.

    `source` is the source's format, empty when that is not known yet.
    """
    name, version = recipe.toolkit, recipe.toolkit_version
    having = [one for one in offers if one.toolkit == name]
    if not having:
        return f"No living worker has the toolkit {name}. {_how(name)}"
    left = [one for one in having if version in {"", one.version}]
    if not left:
        return f"No living worker has {name} {version}, only {_versions(having)}. {_how(name)}"
    for setting, word, words in _settings(recipe, source):
        fitting = [one for one in left if word in words(one)]
        if not fitting:
            had, allowed = _versions(left), dict.fromkeys(each for one in left for each in words(one))
            return (
                f"No living worker can do the {setting} {word}: {name} {had} takes"
                f" {', '.join(allowed)}. {_how_else(name, source if setting == FORMAT else '')}"
            )
        left = fitting
    return ""


FORMAT = "source format"


def _settings(recipe: RecipeSettings, source: str) -> list[tuple[str, str, Any]]:
    """What a version may refuse: each setting, what is asked of it, and the words that it takes for it."""
    settings = [
        ("platform", recipe.platform, lambda one: one.offer.platforms),
        ("dtype", recipe.dtype, lambda one: one.offer.dtypes[recipe.platform]),
        ("algorithm", recipe.algorithm, lambda one: one.offer.algorithms[recipe.dtype]),
    ]
    return [*settings, *([(FORMAT, source, lambda one: one.offer.formats)] if source else [])]


def _how_else(toolkit: str, source: str) -> str:
    package = NEEDS.get(toolkit, {}).get(source, "")
    return HOW_TO_ADD_PACKAGE.get(package, "Another version may; docs/toolkits.md says how to add one.")


def _how(toolkit: str) -> str:
    return HOW_TO_ADD.get(toolkit, "See docs/toolkits.md.")


def _versions(offers: Iterable[Offered]) -> str:
    return " and ".join(dict.fromkeys(one.version for one in newest_first(offers)))


def _worker(row: Heartbeat) -> Worker:
    offers = [one for one in _read(row.offers) if queue_of(one.toolkit) in row.queues]
    return Worker(row.name, row.since, row.at, tuple(newest_first(offers)))


def _read(data: Any) -> list[Offered]:
    """What makes sense of what a worker registered."""
    told = data.get("toolkits") if isinstance(data, Mapping) and data.get("schema") == SCHEMA else []
    found = []
    for entry in told[:MOST_OFFERS] if isinstance(told, list) else ():
        try:
            found.append(Offered.from_dict(entry))
        except BadOffer:
            continue  # of a later release, perhaps
    return found


def _known(toolkit: str, data: Mapping[str, Any]) -> Offer:
    """What is legal and named. Raises BadOffer when that is nothing.

    A worker of an earlier release says nothing of formats: it takes those that need no more than the toolkit.
    """
    legal, dtypes = OFFERS[toolkit], data.get("dtypes")
    usual = [one for one in legal.formats if one not in NEEDS.get(toolkit, {})]
    if not isinstance(dtypes, Mapping) or len(dtypes) > MOST_WORDS:
        raise BadOffer("dtypes must map platforms to data types.")
    algorithms = _algorithms(legal, data.get("algorithms"))
    kept = {
        platform: tuple(kind for kind in _both(kinds, dtypes.get(platform)) if kind in algorithms)
        for platform, kinds in legal.dtypes.items()
    }
    named = {kind for kinds in kept.values() for kind in kinds}
    offer = Offer(
        {platform: kinds for platform, kinds in kept.items() if kinds},
        {kind: words for kind, words in algorithms.items() if kind in named},
        _both(legal.formats, data.get("formats", usual)),
    )
    if not offer.dtypes or not offer.formats:
        raise BadOffer("Nothing is left of its platforms, data types, algorithms and formats.")
    return offer


def _algorithms(legal: Offer, told: Any) -> dict[str, tuple[str, ...]]:
    """By data type; a worker of an earlier release tells one list for all of them."""
    if isinstance(told, Mapping) and len(told) > MOST_WORDS:
        return {}
    by_kind = {
        kind: _both(words, told.get(kind) if isinstance(told, Mapping) else told)
        for kind, words in legal.algorithms.items()
    }
    return {kind: words for kind, words in by_kind.items() if words}


def _both(legal: tuple[str, ...], named: Any) -> tuple[str, ...]:
    return tuple(word for word in legal if isinstance(named, list | tuple) and word in named[:MOST_WORDS])


def _rank(version: str) -> tuple[tuple[int, str], ...]:
    """By numbers where there are numbers: 2.10 is newer than 2.9."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in version.split("."))
