"""`manage.py token add|list|revoke`: keys for training jobs."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dashboard.projects.management.rows import project_named, user_named
from dashboard.projects.models import ApiToken, Project, Scope
from dashboard.projects.services import make_token, revoke

MOST_DAYS = 3650


class Command(BaseCommand):
    help = "Make a token of a project in the name of a member (its secret is printed once), list or revoke tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        add = verbs.add_parser("add", help="make a token and print its secret")
        add.add_argument("project")
        add.add_argument("user")
        add.add_argument("--name", default="token", help="what it is for")
        add.add_argument(
            "--scope", action="append", choices=Scope.values, help="may be repeated; default: read"
        )
        add.add_argument("--expires-days", type=int, help="how long it may be used; default: for ever")
        verbs.add_parser("revoke", help="make a token useless").add_argument("prefix")
        verbs.add_parser("list", help="list tokens").add_argument("project", nargs="?")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        match verb:
            case "add":
                self._add(**options)
            case "revoke":
                self._revoke(options["prefix"])
            case _:
                self._list(options["project"])

    def _add(self, project: str, user: str, name: str, scope: list[str] | None, **options: Any) -> None:
        row, owner = project_named(project), user_named(user)
        days: int | None = options["expires_days"]
        if row.role_of(owner) is None:
            raise CommandError(f"{owner} is no member of {row}. Add them with: manage.py project member ...")
        if days is not None and not 0 < days <= MOST_DAYS:
            raise CommandError(f"--expires-days must be from 1 to {MOST_DAYS}.")
        if not 0 < len(name) <= 80:
            raise CommandError("--name must have 1 to 80 characters.")
        expires_at = timezone.now() + timedelta(days=days) if days else None
        _, secret = make_token(row, owner, name, [Scope(one) for one in scope or [Scope.READ]], expires_at)
        self.stdout.write(secret)

    def _revoke(self, prefix: str) -> None:
        # people copy the whole secret; its start tells which token is meant
        token = ApiToken.objects.filter(prefix=prefix.removeprefix("lw_").split("_")[0]).first()
        if token is None:
            raise CommandError("There is no token with this prefix. See: manage.py token list")
        if token.revoked_at is None:
            revoke(token, None)
        self.stdout.write(f"{token} is revoked")

    def _list(self, project: str | None) -> None:
        tokens = ApiToken.objects.select_related("project", "user").order_by("project__slug", "pk")
        if project:
            named: Project = project_named(project)
            tokens = tokens.filter(project=named)
        for token in tokens:
            state = "revoked" if token.revoked_at else f"until {token.expires_at or 'revoked'}"
            words = [
                token.prefix,
                token.project.slug,
                token.user.username,
                token.name,
                ",".join(token.scopes),
                state,
            ]
            self.stdout.write("\t".join(words))
