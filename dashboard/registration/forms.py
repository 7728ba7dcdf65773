"""Forms of registration: a new board, the confirmation of its host key, reasons."""

from typing import Any

from django import forms

from dashboard.boards.keys import KeyKind
from dashboard.conversions.offers import PLATFORMS
from dashboard.pageform import PageForm
from dashboard.projects.models import Project
from dashboard.registration.drafts import NPUS, Draft, Unfit, labels_from
from dashboard.registration.models import Registration

MADE = {
    KeyKind.ED25519: "made by the site: ed25519",
    KeyKind.ECDSA: "made by the site: ECDSA P-256, for an old dropbear",
}


class SecretArea(forms.Textarea):
    """A text area that never shows again what was typed into it."""

    def format_value(self, value: Any) -> str:
        return ""


class BoardForm(PageForm):
    """A new board. What is wrong with it is judged by drafts.py, for page and API alike."""

    name = forms.CharField(max_length=80, help_text="as people call it: desk, rack-3-slot-2")
    address = forms.CharField(
        max_length=255, help_text="a number, or a name that the site's worker can look up"
    )
    port = forms.IntegerField(initial=22)
    username = forms.CharField(
        max_length=64,
        initial="layerwise",
        label="User",
        help_text="whom the agent runs as; root is not needed",
    )
    site = forms.CharField(max_length=40, help_text="the lab whose worker reaches the board")
    platform = forms.CharField(max_length=40, initial="rv1126")
    npu = forms.ChoiceField(choices=list(NPUS.items()), label="NPU interface")
    simulated = forms.BooleanField(required=False, label="Simulated: a board of software, or an emulated one")
    labels = forms.CharField(
        max_length=800,
        required=False,
        help_text="what else a run may ask for, separated by blanks: camera 512mb",
    )
    work_folder = forms.CharField(
        max_length=200, required=False, help_text="empty: .layerwise in the user's home; /userdata has room"
    )
    key_kind = forms.ChoiceField(choices=list(MADE.items()), label="Key")
    private_key = forms.CharField(
        max_length=30_000,
        required=False,
        strip=False,
        label="Private key of your own",
        help_text="without a password; it is encrypted at once and never shown again",
        widget=SecretArea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(
        self, project: Project, others: list[Project], sites: list[str], *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.project = project
        site = self.fields["site"]
        site.initial = sites[0]
        site.help_text = f"the lab whose worker reaches the board; the workers here serve {', '.join(sites)}"
        self.others = {str(other.pk): other for other in others}
        if self.others:
            self.fields["projects"] = forms.MultipleChoiceField(
                choices=[(pk, other.name) for pk, other in self.others.items()],
                required=False,
                label="Also for the projects",
                widget=forms.CheckboxSelectMultiple,
            )
        self.fields["platform"].widget.attrs["list"] = "platforms"
        self.dress()
        if self.others:
            self.fields["projects"].widget.attrs["class"] = "form-check-input"

    @property
    def projects_field(self) -> Any:
        """The other projects, to tick; none when there are no others."""
        return self["projects"] if self.others else ()

    @property
    def platforms(self) -> tuple[str, ...]:
        """Suggestions; any platform may be typed."""
        return PLATFORMS

    def draft(self) -> Draft:
        said = self.cleaned_data
        plain = {
            name: said[name] for name in ("name", "address", "port", "username", "site", "platform", "npu")
        }
        return Draft(
            **plain,
            simulated=said["simulated"],
            labels=labels_from(said["labels"]),
            work_folder=said["work_folder"],
            key_kind=KeyKind(said["key_kind"]),
            private_key=said["private_key"],
        )

    def projects(self) -> list[Project]:
        """Who shall use the board, besides the project where it is registered."""
        return [self.others[pk] for pk in self.cleaned_data.get("projects", [])]

    def unfit(self, error: Unfit) -> None:
        """Show every problem at its field."""
        for name, text in error.problems.items():
            self.add_error(name if name in self.fields else None, text)

    @staticmethod
    def like(registration: Registration) -> dict[str, Any]:
        """Values to begin with, from another registration; its key is not among them."""
        names = ("name", "address", "port", "username", "site", "platform", "npu", "simulated", "work_folder")
        return {name: getattr(registration, name) for name in names} | {
            "labels": " ".join(registration.labels)
        }


class FingerprintForm(PageForm):
    """What somebody read on the board itself."""

    fingerprint = forms.CharField(
        max_length=2000,
        label="What the board printed",
        help_text="the line with the fingerprint, as it stands there",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "SHA256:…"}
        ),
    )


class PinForm(FingerprintForm):
    """The fingerprint of a new host key, and why it may be trusted."""

    reason = forms.CharField(
        max_length=80, label="Why the key changed", help_text="goes into the audit trail"
    )


class ReasonForm(PageForm):
    """Why somebody takes a board into service that no probe has passed."""

    reason = forms.CharField(max_length=120, label="Why", help_text="goes into the audit trail")
