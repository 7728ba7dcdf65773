"""The forms of all pages: the same look, and what a refused upload says on them."""

from typing import Any

from django import forms

from dashboard.jobs.failures import failure
from dashboard.registry.services import Refused

CLASSES: tuple[tuple[type[forms.Widget], str], ...] = (
    (forms.CheckboxInput, "form-check-input"),
    (forms.Select, "form-select form-select-sm"),
    (forms.HiddenInput, ""),
)


class PageForm(forms.Form):
    """A form whose widgets carry Bootstrap's classes; pages draw each field with `_field.html`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dress()

    def dress(self) -> None:
        """Give every widget its class; called again by forms that add fields."""
        for field in self.fields.values():
            look = next((name for kind, name in CLASSES if isinstance(field.widget, kind)), None)
            field.widget.attrs["class"] = "form-control form-control-sm" if look is None else look

    def refuse(self, refused: Refused) -> None:
        """Show why the upload was not taken: title, detail and advice."""
        why = failure(refused.code)
        self.add_error(None, f"{why.title}. {refused.detail} {why.advice}")


def status_of(refused: Refused) -> int:
    """The HTTP status of a page that shows this refusal."""
    known = {
        "model:too-large": 413,
        "import:too-large": 413,
        "system:store-full": 507,
        "system:store-away": 503,
    }
    return known.get(refused.code, 422)
