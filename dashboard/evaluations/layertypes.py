"""The data type of each layer: what its quantization cost, what the toolkit proposes, and asking with other ones."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.conversions.proposal import ProposedLayer
from dashboard.conversions.recipe import InvalidRecipe, RecipeSettings
from dashboard.conversions.rules import Rules, rules_of
from dashboard.evaluations.demand import highest_priority
from dashboard.evaluations.models import Evaluation, Leg
from dashboard.evaluations.services import Wanted
from dashboard.layers.models import LayerScore
from dashboard.pageform import PageForm

WEAK = 0.99  # "layers at about 0.99 and below are candidates" for more bits (the vendor's accuracy_analysis README)
MOST_ROWS = 300
NO_LAYERS = ("Input", "exDataConvert")  # what goes in, and what the toolkit puts between two data types


@dataclass(frozen=True)
class LayerType:
    """A layer that may have a data type of its own; `field` is its place in the form.

    `chosen` is what the recipe gives it ("": as the rest), `score` what quantization costs up to here.
    """

    field: str
    name: str
    op: str
    chosen: str
    score: LayerScore | None
    proposed: ProposedLayer | None

    @property
    def is_weak(self) -> bool:
        return self.score is not None and self.score.cosine is not None and self.score.cosine < WEAK

    @property
    def is_named(self) -> bool:
        return bool(self.chosen or self.proposed)


def rules_of_recipe(recipe: RecipeSettings) -> Rules:
    """What the recipe's toolkit takes for its platform and data type."""
    return rules_of(recipe.toolkit, recipe.platform, recipe.dtype)


def layer_types(leg: Leg) -> list[LayerType]:
    """The quantized layers of the leg's artifact in execution order, and behind them what is only named."""
    assert leg.conversion is not None
    artifact, recipe = leg.conversion.artifact, leg.evaluation.recipe.value
    proposed = {layer.name: layer for layer in artifact.proposed_layers}
    scores = (
        {score.candidate_key: score for score in leg.quantization.scores.all()} if leg.quantization else {}
    )
    named = dict.fromkeys((*recipe.hybrid, *proposed))
    quantized = artifact.quantized.layers if artifact.quantized else []  # of a ready file nothing is known
    layers = [layer for layer in quantized if _is_one(layer, named)]
    rest = [{"name": name} for name in named if name not in {layer["name"] for layer in layers}]
    return [
        LayerType(
            field=f"dtype_{number}",
            name=layer["name"],
            op=layer.get("op", ""),
            chosen=recipe.hybrid.get(layer["name"], ""),
            score=scores.get(layer.get("key", "")),
            proposed=proposed.get(layer["name"]),
        )
        for number, layer in enumerate([*layers, *rest])
    ]


def shown_types(every: Sequence[LayerType]) -> list[LayerType]:
    """Those that have a place on the page: all that are named, and of many others the worst."""
    others = sorted((one for one in every if not one.is_named), key=_cosine)
    places = {one.field for one in others[:MOST_ROWS]} | {one.field for one in every if one.is_named}
    return [one for one in every if one.field in places]


class LayerTypesForm(PageForm):
    """One choice a layer; the recipe that comes out is the evaluation's with these layers."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=100, required=False)

    def __init__(self, leg: Leg, *args: Any, takes_proposal: bool = False, **kwargs: Any) -> None:
        """With `takes_proposal` the choices begin with what the toolkit proposes."""
        super().__init__(*args, **kwargs)
        self.recipe = leg.evaluation.recipe.value
        self.every = layer_types(leg)
        self.rows = shown_types(self.every)
        self.fields["key"].initial = f"page-{secrets.token_hex(12)}"  # pressing the button twice asks once
        dtypes = rules_of_recipe(self.recipe).layer_dtypes
        choices = [("", self.recipe.dtype), *((dtype, dtype) for dtype in dtypes)]
        for row in self.rows:
            begun = row.proposed.dtype if takes_proposal and row.proposed else row.chosen
            label = f"Data type of {row.name}"
            self.fields[row.field] = forms.ChoiceField(
                choices=choices, required=False, initial=begun, label=label
            )
        self.dress()

    def shown_rows(self) -> Iterator[tuple[LayerType, forms.BoundField]]:
        return ((row, self[row.field]) for row in self.rows)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        layers = {row.name: cleaned[row.field] for row in self.rows if cleaned.get(row.field)}
        if not self.errors:
            try:
                cleaned["recipe"] = RecipeSettings.from_dict(
                    {**self.recipe.as_dict(), "hybrid": layers, "propose": False}
                )
            except InvalidRecipe as error:
                raise ValidationError(str(error)) from error
        return cleaned


def asking_again(evaluation: Evaluation, recipe: RecipeSettings, user: Any, key: str) -> Wanted:
    """What `evaluation` asked, with another recipe; no more urgent than the user may ask."""
    return Wanted(
        recipe=recipe,
        calibration=evaluation.calibration,
        samples=evaluation.samples,
        sample=evaluation.sample,
        board=evaluation.board,
        iterations=evaluation.iterations,
        priority=min(evaluation.priority, highest_priority(evaluation.project, user)),
        labels=tuple(evaluation.labels),
        runtime_version=evaluation.runtime_version,
        sequence=evaluation.sequence,
        idempotency_key=key,
    )


def proposing(recipe: RecipeSettings) -> RecipeSettings:
    """The recipe, asking the toolkit for its proposal."""
    return replace(recipe, propose=True)


def _is_one(layer: dict[str, Any], named: dict[str, None]) -> bool:
    is_quantized = layer.get("scale") is not None and layer.get("op") not in NO_LAYERS
    return is_quantized or layer["name"] in named


def _cosine(row: LayerType) -> float:
    cosine = row.score.cosine if row.score else None
    return 1.0 if cosine is None else cosine
