"""`manage.py demo`: the demonstration, against the stack that `manage.py up` runs."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dashboard.demo.client import ApiError, Client
from dashboard.demo.flow import DemoFailed, build_example, evaluate, is_complete
from dashboard.demo.report import collect, lines
from dashboard.demo.setting import prepare


class Command(BaseCommand):
    """Sends the example network through both routes and prints the report and a login."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="the stack stops afterwards: print no login")

    def handle(self, *args: Any, **options: Any) -> None:
        data = Path(settings.DATA_DIR)
        stack = self._stack(data)
        self.say("Demonstration: one network, two routes, a simulated board")
        login = prepare(data, stack["boards"])
        client = Client(stack["url"], login.token)
        try:
            evaluation = evaluate(client, build_example(data / "demo"), None, self.say)
            report = collect(client, evaluation)
        except (ApiError, DemoFailed) as error:
            raise CommandError(str(error)) from error
        (data / "demo-report.json").write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
        for line in lines(report):
            self.say(line)
        if not options["once"]:
            self.say(f"\nSign in at {stack['url']} as {login.user} with password {login.password}")
            self.say(f"The report's page: {stack['url'].rstrip('/')}/evaluations/{evaluation['id']}/")
        if not is_complete(evaluation):
            raise CommandError("Not every job succeeded; the report says which.")

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _stack(self, data: Path) -> dict[str, Any]:
        try:
            stack: dict[str, Any] = json.loads((data / "run.json").read_text())
        except (OSError, ValueError) as error:
            raise CommandError("Nothing is running here; start it with `manage.py up --demo`.") from error
        if not stack.get("url"):
            raise CommandError("The stack is still starting; try again in a few seconds.")
        return stack
