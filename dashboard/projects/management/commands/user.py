"""`manage.py user add|set-password`: people who may sign in."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from dashboard.projects.management.rows import password_from_stdin, user_named
from dashboard.projects.services import record


class Command(BaseCommand):
    help = "Add a user or set a password. Without --password-stdin a password is made and printed once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb, text in (("add", "add a user"), ("set-password", "give a user another password")):
            one = verbs.add_parser(verb, help=text)
            one.add_argument("name")
            one.add_argument(
                "--password-stdin", action="store_true", help="read the password from standard input"
            )
            if verb == "add":
                one.add_argument("--staff", action="store_true", help="may read /metrics when signed in")

    def handle(self, *args: Any, verb: str, name: str, password_stdin: bool, **options: Any) -> None:
        if verb == "add":
            user, action = self._new(name, options["staff"]), "user.added"
        else:
            user, action = user_named(name), "user.password"
        password = password_from_stdin(user) if password_stdin else secrets.token_urlsafe(12)
        user.set_password(password)
        user.save()
        record(action, subject=name)
        self.stdout.write(f"{name}: " + ("password set" if password_stdin else f"password {password}"))

    def _new(self, name: str, staff: bool) -> User:
        user = User(username=name, is_staff=staff)
        try:
            user.full_clean(exclude=["password"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        return user
