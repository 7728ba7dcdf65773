"""The form that asks for an evaluation: recipe, samples, board."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.boards.models import Board
from dashboard.conversions.offered import offered
from dashboard.conversions.offers import ALGORITHMS, DTYPES, PLATFORMS, READY, TOOLKITS
from dashboard.conversions.presets import Preset
from dashboard.conversions.recipe import InvalidRecipe, RecipeSettings
from dashboard.evaluations.choosing import choices, fitting, words
from dashboard.evaluations.demand import LEAST, MOST
from dashboard.evaluations.models import Evaluation
from dashboard.evaluations.prefill import initial_of, newest_of_model, ready_initial
from dashboard.evaluations.recipeform import FIRST, RecipeFields, preset_initial
from dashboard.evaluations.services import Wanted
from dashboard.jobs.models import State
from dashboard.registry.formats import Format
from dashboard.registry.models import InputSet, ModelVersion, Purpose, Source, reported

MOST_INPUTS = 16


def _choices(words: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(word, word) for word in words]


class BoardField(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic in the stubs only
    """A board, told with what has to fit: its platform."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name}, {obj.platform}{' (simulated)' if obj.simulated else ''}"


class EvaluationForm(RecipeFields):
    """Everything an evaluation depends on; the inputs' fields come from the version's inspection."""

    toolkit = forms.ChoiceField(choices=_choices(TOOLKITS))
    toolkit_version = forms.CharField(
        required=False, max_length=40, label="Version of the toolkit", widget=forms.Select
    )
    platform = forms.ChoiceField(choices=_choices(PLATFORMS))
    dtype = forms.ChoiceField(choices=_choices(DTYPES), label="Data type")
    algorithm = forms.ChoiceField(choices=_choices(ALGORITHMS))
    optimization_level = forms.TypedChoiceField(
        choices=[(level, str(level)) for level in (3, 2, 1, 0)], coerce=int, initial=3
    )
    calibration = forms.ModelChoiceField(InputSet.objects.none(), required=False, label="Calibration set")
    samples = forms.ModelChoiceField(InputSet.objects.none(), label="Evaluation set")
    sample = forms.IntegerField(min_value=0, initial=0, label="Sample", help_text="number in the set, from 0")
    board = BoardField(Board.objects.none(), required=False, empty_label="any suitable board")
    iterations = forms.IntegerField(min_value=1, max_value=1000, initial=20)
    labels = forms.CharField(
        required=False, max_length=400, label="Labels of the board", help_text="it must have all of these"
    )
    runtime_version = forms.CharField(
        required=False, max_length=80, label="Runtime version of the board", help_text="empty: any"
    )
    priority = forms.IntegerField(
        min_value=LEAST,
        max_value=MOST,
        initial=0,
        required=False,
        help_text="-10 to 10 in the queue; above 0 for admins",
    )
    sequence = forms.BooleanField(required=False, label="Check sequences (repeated, alternating, reloaded)")
    key = forms.CharField(widget=forms.HiddenInput, max_length=100, required=False)

    def __init__(
        self,
        version: ModelVersion,
        *args: Any,
        like: Evaluation | None = None,
        preset: Preset | None = None,
        **kwargs: Any,
    ) -> None:
        """`like` is an evaluation to be asked again; without one, the model's newest is taken, if there is any.

        A `preset` takes the place of its recipe, but for the inputs.
        """
        super().__init__(*args, **kwargs)
        self.version = version
        sources = list(version.sources.select_related("inspection").defer("inspection__log"))
        self.has_ready = any(source.format == Format.RKNN for source in sources)
        self.inputs = _inputs(sources)
        names = [str(found.get("name", "")) for found in self.inputs]
        self.like = like or newest_of_model(version, names)
        sets = version.project.input_sets.select_related("inspection").defer("inspection__log")
        sets = sets.exclude(
            inspection__state__in=[State.FAILED, State.CANCELLED]
        )  # these could never end well
        self._choose("calibration", sets.filter(purpose=Purpose.CALIBRATION), is_preset=True)
        self._choose("samples", sets.filter(purpose=Purpose.EVALUATION), is_preset=True)
        self._choose("board", version.project.boards.defer("private_key"))
        # one form asks once: pressing the button twice gives the same evaluation
        self.fields["key"].initial = f"page-{secrets.token_hex(12)}"
        for number, found in enumerate(self.inputs):
            self._add_input(number, found)
        if self.like:
            self._fill_in(initial_of(self.like, names))
        self.preset = preset
        if preset:
            self._fill_in(preset_initial(preset))
        elif like is None:
            self._fill_in(ready_initial(sources))
        self.served = fitting(offered(), [one.format for one in sources])
        self.offers = choices(self.served)
        for name in ("toolkit", "toolkit_version", "platform", "dtype", "algorithm"):
            self._offer(name)
        self.dress()

    def recipe_fields(self) -> Iterator[forms.BoundField]:
        return (self[name] for name in FIRST)

    def measure_fields(self) -> Iterator[forms.BoundField]:
        names = ("calibration", "samples", "sample", "board", "iterations")
        queue = ("labels", "runtime_version", "priority", "sequence")
        return (self[name] for name in (*names, *queue))

    def input_rows(self) -> Iterator[tuple[Mapping[str, Any], list[forms.BoundField]]]:
        """Each input as inspected, with its fields."""
        for number, found in enumerate(self.inputs):
            yield found, [self[f"{part}_{number}"] for part in ("shape", "mean", "std", "reorder")]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        samples = cleaned.get("samples")
        count = reported(samples).get("count") if samples else None
        if count and cleaned.get("sample", 0) >= count:
            self.add_error("sample", f"The set holds {count} samples, numbered from 0.")
        if cleaned.get("toolkit") == READY:
            cleaned["calibration"] = samples  # nobody calibrates what is built already
        elif not cleaned.get("calibration") and "calibration" not in self.errors:
            self.add_error("calibration", "Choose a set: every conversion is calibrated.")
        if not self.errors:
            try:
                cleaned["recipe"] = RecipeSettings.from_dict(self._recipe(cleaned))
            except InvalidRecipe as error:
                raise ValidationError(str(error)) from error
        return cleaned

    def wanted(self) -> Wanted:
        """What was asked for, once the form is valid."""
        data = self.cleaned_data
        return Wanted(
            recipe=data["recipe"],
            calibration=data["calibration"],
            samples=data["samples"],
            sample=data["sample"],
            board=data["board"],
            iterations=data["iterations"],
            priority=data["priority"] or 0,
            labels=tuple(data["labels"].replace(",", " ").split()),
            runtime_version=data["runtime_version"],
            sequence=data["sequence"],
            idempotency_key=data["key"],
        )

    def _choose(self, name: str, rows: Any, *, is_preset: bool = False) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows
        if is_preset:
            field.initial = rows.first()

    def _fill_in(self, values: Mapping[str, Any]) -> None:
        """Earlier values take the place of the defaults; a set or board that is gone leaves the default."""
        for name, value in values.items():
            field = self.fields[name]
            if not isinstance(field, forms.ModelChoiceField):
                field.initial = value
            elif field.queryset is not None and (row := field.queryset.filter(pk=value).first()):
                field.initial = row

    def _offer(self, name: str) -> None:
        """Show what is offered only; what was asked for meanwhile is still taken, and refused where all pass."""
        widget = self.fields[name].widget
        assert isinstance(widget, forms.Select)
        widget.choices = [(word, word or "any") for word in words(self.offers, name)]

    def _add_input(self, number: int, found: Mapping[str, Any]) -> None:
        sizes = found.get("shape")
        shape = ", ".join("?" if size is None else str(size) for size in sizes or [])
        fixed = sizes is not None and all(isinstance(size, int) for size in sizes)
        self.fields[f"shape_{number}"] = forms.CharField(
            required=False,
            max_length=200,
            label="Shape",
            help_text="empty: the model's own" if fixed else "the model leaves sizes open: name all of them",
            widget=forms.TextInput(attrs={"placeholder": shape}),
        )
        self.fields[f"mean_{number}"] = forms.CharField(initial="0", max_length=2000, label="Mean")
        self.fields[f"std_{number}"] = forms.CharField(initial="1", max_length=2000, label="Std")
        self.fields[f"reorder_{number}"] = forms.BooleanField(
            required=False, label="Reorder channels (RGB ↔ BGR)"
        )

    def _recipe(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        inputs = {
            str(found.get("name", "")): {
                "shape": _numbers(cleaned[f"shape_{number}"], int, "Shape") or None,
                "mean": _numbers(cleaned[f"mean_{number}"], float, "Mean"),
                "std": _numbers(cleaned[f"std_{number}"], float, "Std"),
                "reorder": cleaned[f"reorder_{number}"],
            }
            for number, found in enumerate(self.inputs)
        }
        told = {name: settings for name, settings in inputs.items() if settings != _PLAIN}
        return {**{name: cleaned[name] for name in FIRST}, **self.later_settings(cleaned), "inputs": told}


# an input that is fed as it is needs no line in the recipe: the same work has the same hash
_PLAIN: dict[str, Any] = {"shape": None, "mean": [0.0], "std": [1.0], "reorder": False}


# the input of a compiled file that tells none: the runtime takes inputs by their order where names say nothing
NAMELESS: dict[str, Any] = {"name": "input", "shape": None, "dtype": ""}


def _numbers(text: str, kind: type[int] | type[float], label: str) -> list[int | float]:
    """A list of numbers separated by commas or spaces. Raises ValidationError."""
    try:
        return [kind(word) for word in text.replace(",", " ").split()]
    except ValueError as error:
        raise ValidationError(f"{label} must be numbers separated by commas.") from error


def _inputs(sources: Sequence[Source]) -> list[Mapping[str, Any]]:
    """The inputs of all routes by name; routes of one network have the same.

    TorchScript names arguments, not tensors: its only input goes by another route's name where there is one.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for source in sorted(sources, key=lambda source: source.format == Format.TORCHSCRIPT):
        inputs = reported(source).get("inputs", [])
        if source.format == Format.TORCHSCRIPT and len(found) == len(inputs) == 1:
            continue
        for one in inputs:
            found.setdefault(str(one.get("name", "")), one)
    if not found and any(source.format == Format.RKNN for source in sources):
        return [NAMELESS]
    return list(found.values())[:MOST_INPUTS]
