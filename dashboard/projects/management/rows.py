"""Finding the rows that a command line names, and saying clearly when there is none."""

import sys
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db.models import Q

from dashboard.projects.models import Project


def user_named(name: str) -> User:
    """The user. Raises CommandError."""
    user = User.objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"There is no user {name!r}. Make one with: manage.py user add {name}")
    return user


def project_named(name: str) -> Project:
    """The project of this name or URL word. Raises CommandError."""
    project = Project.objects.filter(Q(name=name) | Q(slug=name)).order_by("pk").first()
    if project is None:
        raise CommandError(
            f"There is no project {name!r}. Make one with: manage.py project add {name} --owner USER"
        )
    return project


def password_from_stdin(user: Any) -> str:
    """The first line of standard input, checked like on the pages. Raises CommandError."""
    password = sys.stdin.readline().rstrip("\r\n")
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    return password
