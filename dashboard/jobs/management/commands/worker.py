"""`manage.py worker`: a worker for the boards of a site, for conversions, or for both."""

import os
import re
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dashboard.supervisor.service import ROOT
from dashboard.supervisor.stack import THREADS, queue_of, queues, worker_program

SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


class Command(BaseCommand):
    help = (
        "Do queued jobs until told to stop. At a lab: manage.py worker --site lab-b. It needs to reach Redis, the "
        "database and the file store outward, and the lab's boards; nothing connects to it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--site", action="append", default=[], metavar="NAME", help="run on the boards of this site"
        )
        parser.add_argument("--converter", action="store_true", help="inspect, convert and compare")
        parser.add_argument("--processes", type=int, default=2, help="so many jobs, or boards, at once (2)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Becomes Celery: the process that was started is the one to stop.

        For boards alone it takes a thread a board; with conversions a process a job, and then TERM means QUIT to it.
        """
        boards = _site_queues(options["site"])
        served = [*boards, *(queues([]) if options["converter"] else ())]
        if not served:
            raise CommandError("Say what it should do: --site NAME, --converter, or both.")
        if options["processes"] < 1:
            raise CommandError("--processes must be 1 or more.")
        how = () if options["converter"] else THREADS
        program = worker_program("worker", served, options["processes"], *how)
        stop = "SIGQUIT" if options["converter"] else "SIGTERM"
        told = {**os.environ, "REMAP_SIGTERM": stop, "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE}
        os.chdir(ROOT)
        os.execve(program[0], program, told)  # noqa: S606  # nosec B606 - our own program, no shell


def _site_queues(sites: list[str]) -> list[str]:
    for site in sites:
        if not SITE.fullmatch(site):
            raise CommandError(f"{site!r} is no name of a site: letters, digits, - and _, at most 40.")
    return [queue_of(site) for site in sites]
