"""`/api/v1/recipes/`: what conversions depend on; and the field that reads a recipe from outside."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dashboard.api.reading import Reading
from dashboard.conversions.extra import MOST_KEYS
from dashboard.conversions.models import Recipe
from dashboard.conversions.offers import ALGORITHMS, DTYPES, PLATFORMS, TOOLKITS
from dashboard.conversions.recipe import MOST_LAYERS, InvalidRecipe, RecipeSettings
from dashboard.conversions.rules import MOST_BATCH, MOST_CALIBRATION_BATCH
from dashboard.registry.services import Refused

NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 1}
INPUT = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "shape": {
            "type": "array",
            "items": {"type": "integer", "minimum": 1},
            "minItems": 1,
            "nullable": True,
        },
        "mean": NUMBERS,
        "std": NUMBERS,
        "reorder": {"type": "boolean"},
    },
}
SETTINGS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "toolkit": {"type": "string", "enum": list(TOOLKITS)},
        "toolkit_version": {"type": "string", "maxLength": 40},
        "platform": {"type": "string", "enum": list(PLATFORMS)},
        "dtype": {"type": "string", "enum": list(DTYPES)},
        "algorithm": {"type": "string", "enum": list(ALGORITHMS)},
        "optimization_level": {"type": "integer", "minimum": 0, "maximum": 3},
        "inputs": {"type": "object", "additionalProperties": INPUT},
        "method": {"type": "string"},
        "batch": {"type": "integer", "minimum": 1, "maximum": MOST_BATCH},
        "calibration_batch": {"type": "integer", "minimum": 0, "maximum": MOST_CALIBRATION_BATCH},
        "precompile": {"type": "boolean"},
        "propose": {"type": "boolean"},
        "histograms": {"type": "boolean"},
        "hybrid": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "maxProperties": MOST_LAYERS,
        },
        "extra": {"type": "object", "additionalProperties": {}, "maxProperties": MOST_KEYS},
    },
}


@extend_schema_field(SETTINGS)
class RecipeField(serializers.Field[RecipeSettings, Any, dict[str, Any], Any]):
    """A recipe as an object; what is left out has its default."""

    def to_internal_value(self, data: Any) -> RecipeSettings:
        try:
            return RecipeSettings.from_dict(data)
        except InvalidRecipe as error:
            raise Refused("recipe:invalid", str(error)) from error

    def to_representation(self, value: RecipeSettings) -> dict[str, Any]:
        return value.as_dict()


class RecipeSerializer(serializers.ModelSerializer[Recipe]):
    """A stored recipe; `sha256` is its identity inside the project."""

    settings = RecipeField(source="value", read_only=True)

    class Meta:
        model = Recipe
        fields = ["id", "project", "sha256", "settings", "created_at"]


class Recipes(Reading[Recipe]):
    """Recipes that were used."""

    queryset = Recipe.objects.all()
    serializer_class = RecipeSerializer
    narrowing = {"project": ("project", int), "sha256": ("sha256", str)}
