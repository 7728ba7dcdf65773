"""The part of the form that says the rest of a recipe: method, batch, single layers, settings handed on."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.conversions.offers import OFFERS
from dashboard.conversions.presets import Preset, presets
from dashboard.conversions.recipe import RecipeSettings
from dashboard.conversions.rules import GROUPS, METHODS, MOST_BATCH, MOST_CALIBRATION_BATCH, rules_of
from dashboard.pageform import PageForm

FIRST = ("toolkit", "toolkit_version", "platform", "dtype", "algorithm", "optimization_level")
LATER = ("method", "batch", "calibration_batch", "precompile", "propose", "histograms", "hybrid", "extra")
TEXT = {"rows": 3, "spellcheck": "false"}


class RecipeFields(PageForm):
    """The later settings of a recipe; what is left empty is as the toolkit does it unasked."""

    method = forms.ChoiceField(
        choices=[("", "the toolkit's own"), *((word, word) for word in (*METHODS, *GROUPS))],
        required=False,
        label="Weights quantized per",
    )
    batch = forms.IntegerField(
        min_value=1, max_value=MOST_BATCH, required=False, help_text="samples that the artifact takes at once"
    )
    calibration_batch = forms.IntegerField(
        min_value=0,
        max_value=MOST_CALIBRATION_BATCH,
        required=False,
        help_text="samples calibrated at once; empty: the toolkit's own",
    )
    precompile = forms.BooleanField(required=False, label="Precompile for the board")
    propose = forms.BooleanField(required=False, label="Let the toolkit propose layers for more bits")
    histograms = forms.BooleanField(required=False, label="Draw histograms of weights and layers")
    hybrid = forms.CharField(
        required=False,
        max_length=100_000,
        label="Layers with a data type of their own",
        help_text="one a line: layer = data type, called as in the quantized dump",
        widget=forms.Textarea(attrs=TEXT),
    )
    extra = forms.CharField(
        required=False,
        max_length=10_000,
        label="Further settings of the toolkit",
        help_text="one a line: name = value (JSON), handed to its config() as they are",
        widget=forms.Textarea(attrs=TEXT),
    )

    def more_fields(self) -> Iterator[forms.BoundField]:
        return (self[name] for name in LATER)

    @property
    def says_more(self) -> bool:
        """Whether any of the later settings is filled in or wrong, so that the page shows them at once."""
        return any(
            self[name].value() not in {None, "", False, "False"} or name in self.errors for name in LATER
        )

    @property
    def rules(self) -> dict[str, Any]:
        """What each toolkit takes by platform and data type, for the page to show only what fits together."""
        return {
            toolkit: {
                platform: {dtype: asdict(rules_of(toolkit, platform, dtype)) for dtype in dtypes}
                for platform, dtypes in offer.dtypes.items()
            }
            for toolkit, offer in OFFERS.items()
        }

    @property
    def preset_groups(self) -> dict[str, list[Preset]]:
        """The presets by toolkit and platform."""
        groups: dict[str, list[Preset]] = {}
        for preset in presets():
            groups.setdefault(f"{preset.settings.platform} with {preset.settings.toolkit}", []).append(preset)
        return groups

    def clean_hybrid(self) -> dict[str, str]:
        return dict(_pairs(self.cleaned_data["hybrid"], "layer = data type"))

    def clean_extra(self) -> dict[str, Any]:
        return {name: _value(text) for name, text in _pairs(self.cleaned_data["extra"], "name = value")}

    def later_settings(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the later settings that say something."""
        return {name: cleaned[name] for name in LATER if cleaned[name]}


def later_initial(recipe: RecipeSettings) -> dict[str, Any]:
    """The initial values of the later settings to ask for this recipe once more."""
    texts = {
        "hybrid": "\n".join(f"{layer} = {dtype}" for layer, dtype in recipe.hybrid.items()),
        "extra": "\n".join(f"{name} = {json.dumps(value)}" for name, value in recipe.extra.items()),
        "batch": recipe.batch if recipe.batch > 1 else None,
        "calibration_batch": recipe.calibration_batch or None,
    }
    return {name: getattr(recipe, name) for name in LATER} | texts


def preset_initial(preset: Preset) -> dict[str, Any]:
    """The initial values of a preset; it says nothing of inputs, samples and board."""
    return {name: getattr(preset.settings, name) for name in FIRST} | later_initial(preset.settings)


def _pairs(text: str, form: str) -> Iterator[tuple[str, str]]:
    """The lines, each divided at its last (a layer's name may hold one) or only `=`. Raises ValidationError."""
    found: dict[str, str] = {}
    for line in filter(str.strip, text.splitlines()):
        name, is_divided, value = line.rpartition("=") if form.startswith("layer") else line.partition("=")
        name, value = name.strip(), value.strip()
        if not (is_divided and name and value):
            raise ValidationError(f"{line[:80]!r} is not of the form {form}.")
        if name in found:
            raise ValidationError(f"{name[:80]!r} stands there twice.")
        found[name] = value
    yield from found.items()


def _value(text: str) -> Any:
    """JSON, or the text itself where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
