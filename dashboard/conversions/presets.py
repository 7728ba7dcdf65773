"""Recipes to begin with: for every toolkit and platform the few that are worth trying, each with its reason.

They follow the vendor's advice [TS 4, UG 4.2]: plain 8 bits first, another algorithm for wide ranges, 16 bits or single
layers in more bits where that is not enough, no quantization to see whether it is to blame at all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dashboard.conversions.offers import AS_BUILT, OFFERS, Offer
from dashboard.conversions.recipe import RecipeSettings
from dashboard.conversions.rules import WITHOUT_HYBRID, rules_of

WIDE_RANGES = ("kl_divergence", "entropy")  # the second is what the reference toolkit calls the same
EIGHT_BITS, SIXTEEN_BITS, FLOAT = ("w8a8", "u8", "i8"), ("w16a16i_dfp", "i16"), "float"


@dataclass(frozen=True)
class Preset:
    """A recipe under a name; `name` is unique within toolkit and platform, `reason` says when to take it."""

    name: str
    reason: str
    settings: RecipeSettings

    @property
    def key(self) -> str:
        """Unique among all presets, for addresses and forms."""
        return f"{self.settings.toolkit}.{self.settings.platform}.{self.name}"


def presets() -> list[Preset]:
    """Those of all toolkits and platforms, the first of each being the one to begin with."""
    return [
        preset
        for toolkit, offer in OFFERS.items()
        for platform, dtypes in offer.dtypes.items()
        for preset in _of_platform(toolkit, platform, dtypes, offer)
    ]


def find_preset(key: str) -> Preset | None:
    """The preset of this key, None when there is none."""
    return next((preset for preset in presets() if preset.key == key), None)


def _of_platform(toolkit: str, platform: str, dtypes: tuple[str, ...], offer: Offer) -> Iterator[Preset]:
    base: dict[str, Any] = {"toolkit": toolkit, "platform": platform}
    if AS_BUILT in dtypes:
        reason = "A compiled file runs as it is: nothing is converted, so there is nothing to compare with."
        yield Preset("run-only", reason, RecipeSettings(**base, dtype=AS_BUILT, algorithm=AS_BUILT))
    short = next((dtype for dtype in EIGHT_BITS if dtype in dtypes), None)
    if short:
        plain = {**base, "dtype": short}
        yield Preset("plain", "8 bits and ranges as seen: begin with this.", RecipeSettings(**plain))
        yield from _with_more(plain, offer)
    long = next((dtype for dtype in SIXTEEN_BITS if dtype in dtypes), None)
    if long and platform not in WITHOUT_HYBRID:
        reason = "16 bits everywhere: when 8 lose too much; a bigger file, a slower run."
        yield Preset("16-bit", reason, RecipeSettings(**base, dtype=long))
    if FLOAT in dtypes:
        reason = "No quantization: tells whether quantization or the conversion is to blame."
        yield Preset("float", reason, RecipeSettings(**base, dtype=FLOAT))


def _with_more(plain: dict[str, Any], offer: Offer) -> Iterator[Preset]:
    """The plain recipe with one thing more."""
    algorithm = next((one for one in WIDE_RANGES if one in offer.algorithms[plain["dtype"]]), None)
    if algorithm:
        reason = "8 bits, outliers cut off: for layers whose few large values spoil the rest."
        yield Preset("wide-ranges", reason, RecipeSettings(**plain, algorithm=algorithm))
    rules = rules_of(plain["toolkit"], plain["platform"], plain["dtype"])
    if rules.histograms:
        reason = "8 bits, with pictures of how weights and layers are spread: to see which ranges are wide."
        yield Preset("histograms", reason, RecipeSettings(**plain, histograms=True))
    if rules.proposes:
        reason = "8 bits, and the toolkit proposes the layers that should have more."
        yield Preset("find-layers", reason, RecipeSettings(**plain, propose=True))
