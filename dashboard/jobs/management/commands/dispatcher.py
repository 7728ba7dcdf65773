"""`manage.py dispatcher`: ring for queued jobs and take back lost ones until told to stop."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from dashboard.dispatch import Dispatcher


class Command(BaseCommand):
    help = "Publish queued jobs to the workers and take back those whose worker vanished. Several may run."

    def handle(self, *args: Any, **options: Any) -> None:
        dispatcher = Dispatcher()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: dispatcher.stopping.set())
        dispatcher.run()
