"""Forms of the entrance, of members and of tokens."""

import hashlib
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.utils import timezone

from dashboard.pageform import PageForm
from dashboard.projects.models import Role, Scope

TRIES, TRIES_OF_ADDRESS, WINDOW_SECONDS = 8, 60, 300


class SignInForm(AuthenticationForm):
    """Name and password; too many wrong tries within five minutes are not even looked at.

    The counts live in the cache, one set per web process: it slows guessing down and locks nobody out for long.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control"

    def clean(self) -> dict[str, Any]:
        limits = self._limits()
        if any(cache.get(key, 0) >= most for key, most in limits.items()):
            raise ValidationError("Too many wrong tries. Wait five minutes and try again.", code="throttled")
        try:
            cleaned = super().clean()
        except ValidationError:
            for key in limits:
                cache.set(key, cache.get(key, 0) + 1, WINDOW_SECONDS)
            raise
        return dict(cleaned or {})

    def _limits(self) -> dict[str, int]:
        """How many wrong tries one name from one address has, and one address with any names."""
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        name = hashlib.sha256(str(self.cleaned_data.get("username", "")).encode()).hexdigest()
        return {f"sign-in:{address}:{name}": TRIES, f"sign-in:{address}": TRIES_OF_ADDRESS}


class MemberForm(PageForm):
    """Who shall be a member, with which role."""

    username = forms.CharField(max_length=150)
    role = forms.ChoiceField(choices=Role.choices, initial=Role.DEVELOPER)

    def clean_username(self) -> Any:
        """The user of this name."""
        user = get_user_model().objects.filter(username=self.cleaned_data["username"], is_active=True).first()
        if user is None:
            raise ValidationError("No user has this name. An administrator makes users with manage.py.")
        return user


class TokenForm(PageForm):
    """What a new token is called, what it may do and how long it lives."""

    name = forms.CharField(max_length=80, help_text="Where it is used, for example: nightly training")
    scope = forms.ChoiceField(choices=[("write", "read and write"), ("read", "read only")])
    days = forms.IntegerField(
        min_value=1, max_value=3650, required=False, label="Days until it expires", help_text="empty: never"
    )

    def scopes(self) -> list[Scope]:
        return [Scope.READ] if self.cleaned_data["scope"] == "read" else [Scope.READ, Scope.WRITE]

    def expires_at(self) -> Any:
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=days) if days else None
