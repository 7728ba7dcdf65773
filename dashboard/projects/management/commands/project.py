"""`manage.py project add|member|list`: projects and who belongs to them."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from dashboard.projects.management.rows import project_named, user_named
from dashboard.projects.models import Membership, Project, Role
from dashboard.projects.services import create_project, remove_member, set_role

NOBODY = "none"


class Command(BaseCommand):
    help = "Add a project, list projects, or give a user a role in one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        add = verbs.add_parser("add", help="add a project")
        add.add_argument("name")
        add.add_argument("--owner", required=True, help="the user who becomes its first admin")
        member = verbs.add_parser("member", help="give a user a role, or take it away with 'none'")
        member.add_argument("project")
        member.add_argument("user")
        member.add_argument("role", choices=[*Role.values, NOBODY])
        verbs.add_parser("list", help="list projects and members")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        match verb:
            case "add":
                self._add(options["name"], options["owner"])
            case "member":
                self._member(options["project"], options["user"], options["role"])
            case _:
                self._list()

    def _add(self, name: str, owner: str) -> None:
        user = user_named(owner)
        try:
            Project(name=name, slug="checked-later").full_clean(exclude=["slug"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        project = create_project(name, user)
        self.stdout.write(f"{project.slug}: {owner} is its admin")

    def _member(self, project_name: str, user_name: str, role: str) -> None:
        project, user = project_named(project_name), user_named(user_name)
        membership = Membership.objects.filter(project=project, user=user).first()
        if role != Role.ADMIN and membership and _is_last_admin(membership):
            raise CommandError(f"{user} is the last admin of {project}. Name another admin first.")
        if role == NOBODY:
            if membership is None:
                raise CommandError(f"{user} is no member of {project}.")
            remove_member(membership, None)
        else:
            set_role(project, user, Role(role))
        self.stdout.write(f"{project.slug}: {user} {role}")

    def _list(self) -> None:
        for project in Project.objects.order_by("slug").prefetch_related("memberships__user"):
            members = ", ".join(f"{one.user} ({one.role})" for one in project.memberships.all())
            self.stdout.write(f"{project.slug}\t{project.name}\t{members}")


def _is_last_admin(membership: Membership) -> bool:
    admins = membership.project.memberships.filter(role=Role.ADMIN)
    return membership.role == Role.ADMIN and not admins.exclude(pk=membership.pk).exists()
