"""`manage.py up`: the whole product on this machine, with one command and no root."""

import os
import shlex
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.supervisor.datafolder import InUse
from dashboard.supervisor.launch import Wishes, launch
from dashboard.supervisor.redis_server import NoRedis
from dashboard.supervisor.sockets import NoFreePort
from dashboard.supervisor.stack import MANAGE
from dashboard.supervisor.supervisor import StartFailed


class Command(BaseCommand):
    """Starts Redis, the site, the workers, the dispatcher and, if wanted, simulated boards, until Ctrl-C."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """The options; none is needed."""
        parser.add_argument(
            "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
        )
        parser.add_argument(
            "--port", type=int, default=8000, help="first port to try; 0 lets the system choose"
        )
        parser.add_argument(
            "--processes", type=int, default=min(2, os.cpu_count() or 1), help="worker processes"
        )
        parser.add_argument(
            "--simboard", type=int, default=None, metavar="N", help="number of simulated boards"
        )
        parser.add_argument(
            "--demo", action="store_true", help="run the demonstration when everything is ready"
        )
        parser.add_argument("--run", default="", metavar="COMMAND", help="run this when everything is ready")
        parser.add_argument("--once", action="store_true", help="stop after the demonstration or command")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped and end with the status of the demonstration, if any."""
        try:
            status = launch(_wishes(options), self._say)
        except (InUse, NoRedis, NoFreePort, StartFailed) as error:
            raise CommandError(str(error)) from error
        sys.exit(status)

    def _say(self, text: str) -> None:
        """At once, also into a pipe: the demonstration writes to the same place."""
        self.stdout.write(text)
        self.stdout.flush()


def _wishes(options: dict[str, Any]) -> Wishes:
    is_demo, is_once = options["demo"], options["once"]
    program = [*MANAGE, "demo", *(["--once"] if is_once else [])] if is_demo else shlex.split(options["run"])
    if is_once and not program:
        raise CommandError("--once needs --demo or --run: without either there is nothing to wait for.")
    boards = options["simboard"] if options["simboard"] is not None else int(is_demo)
    return Wishes(
        host=options["host"],
        port=options["port"],
        processes=options["processes"],
        boards=boards,
        is_once=is_once,
        program=program,
    )
