"""What the form of a new evaluation offers of recipes: what living workers can do; else all that is legal."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dashboard.conversions.offered import Offered
from dashboard.conversions.offers import OFFERS, READY, Offer

_NOTHING = Offer({}, {}, ())
Choices = dict[str, dict[str, Any]]  # of a toolkit: by version, "" being any of them


def fitting(served: Sequence[Offered], formats: Collection[str | None]) -> Sequence[Offered]:
    """Those that take one of these formats (None: not known yet); where none does, all: they are refused by name."""
    found = [one for one in served if None in formats or set(one.offer.formats) & set(formats)]
    return found or served


def choices(served: Sequence[Offered]) -> Choices:
    """By toolkit and version: platforms with their data types, data types with their algorithms."""
    if not served:
        return {name: {"": asdict(offer)} for name, offer in OFFERS.items()}
    found: Choices = {}
    for one in served:
        by_version = found.setdefault(one.toolkit, {"": asdict(_NOTHING)})
        # of compiled files the version that built them counts, not the one that reads them
        for version in ("", one.version) if one.toolkit != READY else ("",):
            by_version[version] = _merged(by_version.get(version, asdict(_NOTHING)), one.offer)
    return found


def words(offers: Choices, setting: str) -> list[str]:
    """Every word that the form offers for a setting, whatever the others are."""
    anything = [by_version[""] for by_version in offers.values()]
    match setting:
        case "toolkit":
            found = [list(offers)]
        case "toolkit_version":
            found = [list(by_version) for by_version in offers.values()]
        case "platform":
            found = [list(offer["dtypes"]) for offer in anything]
        case "dtype":
            found = [list(kinds) for offer in anything for kinds in offer["dtypes"].values()]
        case _:
            found = [list(named) for offer in anything for named in offer["algorithms"].values()]
    return list(dict.fromkeys(word for group in found for word in group))


def _merged(known: dict[str, Any], offer: Offer) -> dict[str, Any]:
    return {
        "dtypes": _joined(known["dtypes"], offer.dtypes),
        "algorithms": _joined(known["algorithms"], offer.algorithms),
        "formats": _both(known["formats"], offer.formats),
    }


def _joined(
    known: Mapping[str, Sequence[str]], more: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    return {word: _both(known.get(word, ()), more.get(word, ())) for word in _both(tuple(known), tuple(more))}


def _both(known: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *more)))
