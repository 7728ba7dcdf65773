"""Forms of this room: naming a golden model, a twin check, a power switch."""

import shlex
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.boards.models import Board
from dashboard.conversions.models import Artifact
from dashboard.health.models import SwitchKind
from dashboard.health.switches import METHODS, Configuration
from dashboard.pageform import PageForm
from dashboard.projects.models import Project


class GoldenForm(PageForm):
    """For which runtime the artifact is the golden model."""

    runtime_version = forms.CharField(
        required=False,
        max_length=80,
        label="Only for boards with the runtime version",
        help_text="As the board's page shows it. Empty: for every runtime version of the platform.",
    )


class TwinForm(PageForm):
    """An artifact, and the boards that it runs on."""

    artifact = forms.ModelChoiceField(Artifact.objects.none())
    first = forms.ModelChoiceField(
        Board.objects.none(), required=False, empty_label="any", label="First board"
    )
    second = forms.ModelChoiceField(
        Board.objects.none(), required=False, empty_label="any other", label="Second board"
    )
    iterations = forms.IntegerField(min_value=1, max_value=1000, initial=20)

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        artifacts = Artifact.objects.filter(conversion__project=project).order_by("-pk")
        fields: dict[str, Any] = self.fields
        fields["artifact"].queryset = artifacts.select_related(
            "conversion__source__version__model", "conversion__recipe"
        )
        fields["artifact"].label_from_instance = _artifact_label
        boards = Board.objects.filter(projects=project).defer("private_key", "host_key", "fingerprint")
        for name in ("first", "second"):
            fields[name].queryset = boards
            fields[name].label_from_instance = _board_label


class PowerForm(PageForm):
    """How a board's power is switched. What is secret is not shown again: an empty field keeps it."""

    kind = forms.ChoiceField(choices=SwitchKind.choices, label="How")
    reboot = forms.CharField(
        required=False,
        max_length=500,
        label="Reboot by SSH, tried first while the board answers",
        help_text="For example: sudo -n reboot. Empty: not tried.",
    )
    off = forms.CharField(
        required=False,
        max_length=4000,
        label="Off (or off and on)",
        help_text="A program of LAYERWISE_POWER_COMMANDS with its arguments, or an address: http://10.0.0.7/relay/0?turn=off",
    )
    on = forms.CharField(
        required=False, max_length=4000, label="On", help_text="Only if it is a step of its own."
    )
    pause_s = forms.IntegerField(min_value=0, max_value=120, initial=5, label="Seconds between off and on")
    method = forms.ChoiceField(choices=[(method, method) for method in METHODS], initial="POST")
    headers = forms.CharField(
        required=False,
        max_length=8000,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="Headers of the HTTP call",
        help_text="One a line, Name: value. They are encrypted and not shown again.",
    )
    automatic = forms.BooleanField(required=False, initial=True, label="Also by itself, after a hang")

    def configuration(self, before: Configuration | None) -> Configuration:
        """What was asked for; addresses, arguments and headers left empty stay as they were for the same kind."""
        data = self.cleaned_data
        kept = before if before and before.kind == data["kind"] else None
        steps = {name: self._step(name, kept) for name in ("off", "on")}
        return Configuration(
            kind=data["kind"],
            pause_s=data["pause_s"],
            method=data["method"],
            headers=self._headers() or (kept.headers if kept else ()),
            reboot=tuple(shlex.split(data["reboot"])),
            **(steps if data["kind"] != SwitchKind.NONE else {}),
        )

    def clean_reboot(self) -> str:
        return _splittable(self.cleaned_data["reboot"])

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("kind") == SwitchKind.COMMAND:
            for name in ("off", "on"):
                _splittable(data.get(name, ""))
        if any(":" not in line for line in data.get("headers", "").splitlines() if line.strip()):
            raise ValidationError({"headers": "One header a line, Name: value."})
        return data

    def _step(self, name: str, kept: Configuration | None) -> tuple[str, ...]:
        text = self.cleaned_data[name].strip()
        if not text:
            return getattr(kept, name) if kept else ()
        return tuple(shlex.split(text)) if self.cleaned_data["kind"] == SwitchKind.COMMAND else (text,)

    def _headers(self) -> tuple[tuple[str, str], ...]:
        lines = [line for line in self.cleaned_data["headers"].splitlines() if line.strip()]
        pairs = (line.partition(":") for line in lines)
        return tuple((name.strip(), value.strip()) for name, _, value in pairs)


def _splittable(text: str) -> str:
    try:
        shlex.split(text)
    except ValueError as error:
        raise ValidationError("A quotation mark is missing.") from error
    return text


def _artifact_label(artifact: Artifact) -> str:
    conversion = artifact.conversion
    return f"{artifact.pk}: {conversion.source}, {conversion.recipe}, {artifact.platform}"


def _board_label(board: Board) -> str:
    return f"{board.label}, {board.platform}, {board.shown_state}"
