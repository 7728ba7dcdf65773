"""Forms of the registry: a model's name, a version's files, an input set."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, URLValidator

from dashboard.pageform import PageForm
from dashboard.registry.models import Layout, Purpose
from dashboard.registry.services import ROUTE_FILES, Origin, Upload

ROUTES = ("direct", "traced", "", "")
WEB = URLValidator(schemes=["http", "https"])


class FilesInput(forms.ClearableFileInput):
    """A field of the page that takes several files."""

    allow_multiple_selected = True


class RouteFiles(forms.FileField):
    """The file of a route, or the two files of a format that needs two; cleans to a list."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        given = data if isinstance(data, list | tuple) else [data]
        if len(given) > ROUTE_FILES:
            raise ValidationError(f"A route has at most {ROUTE_FILES} files.")
        cleaned = [super(RouteFiles, self).clean(file, initial) for file in given]
        return [file for file in cleaned if file]


class RegisterForm(PageForm):
    """A new model."""

    name = forms.CharField(max_length=120)
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))


class VersionForm(PageForm):
    """A new version: up to four files, each with the name of its route, and where they come from."""

    commit = forms.CharField(max_length=80, required=False, label="Git commit")
    training_url = forms.CharField(
        max_length=500, required=False, validators=[WEB], label="Training run", help_text="https://..."
    )
    tags = forms.CharField(max_length=200, required=False, help_text="separated by commas")
    note = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name = RegexValidator(
            r"^[A-Za-z0-9][A-Za-z0-9._-]*$", "Use letters, digits, dots, dashes and underscores."
        )
        for number, route in enumerate(ROUTES):
            self.fields[f"route_{number}"] = forms.CharField(
                max_length=40, required=False, initial=route, label="Route", validators=[name]
            )
            self.fields[f"file_{number}"] = RouteFiles(
                required=False, allow_empty_file=True, label="Model file, or both files"
            )
        self.dress()

    def rows(self) -> Iterator[tuple[forms.BoundField, forms.BoundField]]:
        """Route and file, as they stand beside each other."""
        return ((self[f"route_{number}"], self[f"file_{number}"]) for number in range(len(ROUTES)))

    def own_fields(self) -> Iterator[forms.BoundField]:
        return (self[name] for name in ("commit", "training_url", "tags", "note"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        chosen = [number for number in range(len(ROUTES)) if cleaned.get(f"file_{number}")]
        routes = [cleaned.get(f"route_{number}", "") for number in chosen]
        if not chosen and not self.errors:
            raise ValidationError("Choose at least one model file.")
        if len(set(routes)) != len(routes) or ("" in routes and not self.errors):
            raise ValidationError("Every file needs a route name of its own.")
        return cleaned

    def uploads(self) -> list[Upload]:
        """The files that were chosen, in order."""
        rows = (
            (self.cleaned_data[f"route_{n}"], self.cleaned_data.get(f"file_{n}")) for n in range(len(ROUTES))
        )
        return [Upload(file.name, file, route) for route, files in rows for file in files or ()]

    def origin(self) -> Origin:
        data = self.cleaned_data
        tags = tuple(tag.strip() for tag in data["tags"].split(",") if tag.strip())
        return Origin(data["commit"], data["training_url"], tags, data["note"])


class InputSetForm(PageForm):
    """A new set of calibration or evaluation samples."""

    file = forms.FileField(
        allow_empty_file=True,
        label="Samples",
        help_text="A zip of pictures, .npy or .npz files, each one sample; or one such file",
    )
    purpose = forms.ChoiceField(choices=Purpose.choices)
    name = forms.CharField(max_length=120, required=False, help_text="empty: the file's name")
    layout = forms.ChoiceField(
        choices=Layout.choices,
        required=False,
        initial=Layout.AS_IS,
        help_text="Axis order of arrays; pictures are always NHWC",
    )

    def upload(self) -> Upload:
        file = self.cleaned_data["file"]
        return Upload(file.name, file)
